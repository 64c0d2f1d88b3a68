#include "dlp/decode/container_sniffer.h"

#include <algorithm>
#include <cstring>

#include "common/codec/inflate.h"
#include "common/codec/zstd.h"
#include "dlp/decode/coded_stream.h"
#include "dlp/decode/content_coding.h"
#include "dlp/decode/header_field.h"
#include "dlp/decode/multipart.h"
#include "dlp/decode/refusal.h"
#include "dlp/decode/zip.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kNowhere = std::string_view::npos;
constexpr std::string_view kPngHead("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", kMagicBytes);
constexpr std::string_view kPngData = "IDAT";
constexpr std::array<std::string_view, 2> kGzipTypes = {"application/gzip", "application/x-gzip"};
constexpr std::array<std::string_view, 2> kZipTypes = {"application/zip", "application/x-zip-compressed"};
constexpr std::array<std::string_view, 2> kTarTypes = {"application/x-tar", "application/x-gtar"};
constexpr std::array<std::string_view, 11> kClosedTypes = {
    "application/x-bzip",          "application/x-bzip2", "application/x-xz",  "application/x-lzma",
    "application/x-7z-compressed", "application/vnd.rar", "application/x-rar", "application/x-rar-compressed",
    "application/x-compress",      "application/x-lzip",  "application/x-lz4"};

bool contains(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view kind_of(Magic magic) {
  switch (magic) {
    case Magic::gzip:
      return "gzip";
    case Magic::zlib:
      return "zlib";
    case Magic::zstd:
      return "zstd";
    case Magic::zip:
      return "zip";
    case Magic::none:
      break;
  }
  return {};
}

std::unique_ptr<Codec> codec_of(Magic magic) {
  switch (magic) {
    case Magic::gzip:
      return std::make_unique<Inflate>(Inflate::Format::gzip);
    case Magic::zlib:
      return std::make_unique<Inflate>(Inflate::Format::zlib);
    case Magic::zstd:
      return std::make_unique<Zstd>(kFileZstdWindowLog);
    default:
      return nullptr;
  }
}

}  // namespace

ContainerSniffer::ContainerSniffer(DecoderHost& host) : host_(host) {}
ContainerSniffer::~ContainerSniffer() = default;

void ContainerSniffer::declare(const Piece& piece) {
  auto coding = follow_content_coding(host_, piece.content_encoding, piece.content_type, offset_);
  if (!coding.follower) return declare_type(piece.content_type);
  open_.push_back({std::move(coding.kind), 1, offset_, std::move(coding.follower)});
}

void ContainerSniffer::declare_type(std::string_view content_type) {
  const std::string type = field_type(content_type);
  const auto open = [&](std::string kind, std::unique_ptr<Follower> follower) {
    open_.push_back({std::move(kind), 1, offset_, std::move(follower)});
  };
  const auto open_coded = [&](Magic magic) {
    const std::string kind(kind_of(magic));
    open(kind,
         std::make_unique<CodedStream>(host_, kind, codec_of(magic), Piece{offset_, {}, {}, {}}, Trust::declared));
  };
  if (is_multipart(content_type)) {
    open("form", std::make_unique<Multipart>(host_, "form", offset_, content_type));
  } else if (contains(kGzipTypes, type)) {
    open_coded(Magic::gzip);
  } else if (type == "application/zstd") {
    open_coded(Magic::zstd);
  } else if (contains(kZipTypes, type)) {
    declared_ = Archive::zip;
  } else if (contains(kTarTypes, type)) {
    declared_ = Archive::tar;
  } else if (contains(kClosedTypes, type)) {
    open("archive", std::make_unique<Refusal>(host_, "archive", "of a kind that cannot be looked into"));
  }
}

void ContainerSniffer::write(std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(step(bytes));
}

void ContainerSniffer::boundary() { end_piece(); }

void ContainerSniffer::end() {
  end_piece();
  offset_ = piece_start_ = 0;
}

void ContainerSniffer::end_piece() {
  for (auto& open : open_) open.follower->finish();
  open_.clear();
  // Less than a header is an empty archive.
  if (declared_ == Archive::zip && !declared_seen_ && in_piece() >= 30) host_.fault("zip", "no entry is in it");
  if (declared_ == Archive::tar && !declared_seen_ && in_piece() > 0) {
    host_.fault("tar", "it does not begin with a header");
  }
  declared_ = Archive::none;
  declared_seen_ = too_many_ = false;
  head_.clear();
  last_.clear();
  rest_ = 0;
  block_whole_ = true;
  piece_start_ = offset_;
}

// Goes to the end of `bytes` or to the next place where something begins or its nature changes; returns how far. What
// happens depends on positions only, never on how the input is cut.
size_t ContainerSniffer::step(std::string_view bytes) {
  const auto ahead = span();
  // When more come to something at once than are followed, it must not depend on a cut which of them those are.
  const bool in_step = std::count_if(open_.begin(), open_.end(), is_zlib) > static_cast<ptrdiff_t>(kMaxAtOnce);
  bytes = bytes.substr(0, in_step ? 1 : std::min<uint64_t>(ahead.bytes, bytes.size()));
  if (head_.size() < kMagicBytes) head_ += bytes.substr(0, kMagicBytes - head_.size());
  if (ahead.plain) {
    feed(bytes);
    skip(bytes.size());
    return bytes.size();
  }
  Magic magic = Magic::none;
  const size_t magic_end = find_magic(bytes, magic);
  const size_t tar_end = find_tar(bytes);
  bytes = bytes.substr(0, std::min({magic_end, tar_end, bytes.size()}));
  feed(bytes);
  if (bytes.size() == tar_end) open_tar(bytes);
  remember(bytes);
  if (bytes.size() == magic_end) open_magic(magic);
  return bytes.size();
}

Follower::Span ContainerSniffer::span() const {
  Follower::Span all;
  for (const auto& open : open_) {
    const auto span = open.follower->span();
    all.bytes = std::min(all.bytes, span.bytes);
    all.plain |= span.plain;
  }
  return all;
}

void ContainerSniffer::feed(std::string_view bytes) {
  if (open_.empty()) return;
  std::erase_if(open_, [&](Open& open) { return !open.follower->feed(bytes); });
  // Guesses of zlib are many and few of them come to anything.
  const auto real = [&](const Open& open) { return is_zlib(open) && open.follower->begun(); };
  if (std::count_if(open_.begin(), open_.end(), real) <= static_cast<ptrdiff_t>(kMaxAtOnce)) return;
  too_many("zlib");
  const auto last = std::find_if(open_.rbegin(), open_.rend(), real);
  last->follower->finish();
  open_.erase(std::next(last).base());
}

void ContainerSniffer::too_many(std::string_view kind) {
  if (!too_many_) host_.fault(kind, "more at once than can be followed");
  too_many_ = true;
}

// The end of the first kMagicBytes that begin something, within `bytes`; kNowhere: none.
size_t ContainerSniffer::find_magic(std::string_view bytes, Magic& magic) const {
  if (rest_ > 0) {
    std::array<char, kKeptBytes + kRestBytes> joined;
    const size_t taken = std::min(bytes.size(), kRestBytes);
    std::memcpy(joined.data(), last_.data(), last_.size());
    std::memcpy(joined.data() + last_.size(), bytes.data(), taken);
    const std::string_view seam(joined.data(), last_.size() + taken);
    for (size_t at = last_.size() - rest_; at < last_.size() && at + kMagicBytes <= seam.size(); ++at) {
      magic = magic_at(seam, at, offset_ - (last_.size() - at), {});
      if (magic != Magic::none) return at + kMagicBytes - last_.size();
    }
  }
  if (in_piece() == 0 && bytes.size() >= kMagicBytes) {
    magic = magic_at(bytes, 0, offset_, {});
    if (magic != Magic::none) return kMagicBytes;
  }
  for (size_t at = find_magic_pair(bytes, 0); at != kNowhere && at + kMagicBytes <= bytes.size();
       at = find_magic_pair(bytes, at + 1)) {
    magic = magic_at(bytes, at, offset_ + at, last_);
    if (magic != Magic::none) return at + kMagicBytes;
  }
  return kNowhere;
}

// What begins `at` in bytes, which is at `offset` in the layer; `before` is what precedes bytes.
Magic ContainerSniffer::magic_at(std::string_view bytes, size_t at, uint64_t offset, std::string_view before) const {
  const auto begin = bytes.substr(at, kMagicBytes);
  auto magic = magic_of(begin);
  if (magic == Magic::none && offset == piece_start_ && may_be_zlib(begin)) magic = Magic::zlib;
  if (magic == Magic::zlib && head_ == kPngHead) {
    // An image's pixels: much to decode, and what were hidden in them could be hidden in pixels just as well.
    const std::string context = std::string(before) + std::string(bytes.substr(0, at < kContextBytes ? at : 0));
    if (at >= kContextBytes ? bytes.substr(at - kContextBytes, kContextBytes) == kPngData
                            : context.ends_with(kPngData)) {
      return Magic::none;
    }
  }
  return magic;
}

// The end of the first block that is a header, within `bytes`; kNowhere: none.
size_t ContainerSniffer::find_tar(std::string_view bytes) const {
  if (is_open("tar")) return kNowhere;
  const size_t before = in_piece() % kTarBlockBytes;
  size_t end = kTarBlockBytes - before;
  if (before > 0) {
    if (end > bytes.size()) return kNowhere;
    if (block_whole_) {
      auto block = block_;
      std::memcpy(block.data() + before, bytes.data(), end);
      if (is_tar_header(block.data())) return end;
    }
    end += kTarBlockBytes;
  }
  for (; end <= bytes.size(); end += kTarBlockBytes) {
    if (is_tar_header(bytes.data() + end - kTarBlockBytes)) return end;
  }
  return kNowhere;
}

void ContainerSniffer::remember(std::string_view bytes) {
  const size_t before = in_piece() % kTarBlockBytes;
  const size_t after = (before + bytes.size()) % kTarBlockBytes;
  if (before + bytes.size() < kTarBlockBytes) {
    std::memcpy(block_.data() + before, bytes.data(), bytes.size());
  } else {
    std::memcpy(block_.data(), bytes.data() + bytes.size() - after, after);
    block_whole_ = true;
  }
  if (bytes.size() >= kKeptBytes) {
    last_ = bytes.substr(bytes.size() - kKeptBytes);
  } else {
    last_ += bytes;
    last_.erase(0, last_.size() - std::min(last_.size(), kKeptBytes));
  }
  rest_ = std::min({rest_ + bytes.size(), kRestBytes, last_.size()});
  offset_ += bytes.size();
}

void ContainerSniffer::skip(size_t bytes) {
  offset_ += bytes;
  last_.clear();
  rest_ = 0;
  block_whole_ = in_piece() % kTarBlockBytes == 0;
}

bool ContainerSniffer::is_open(std::string_view kind) const {
  return std::any_of(open_.begin(), open_.end(), [&](const Open& open) { return open.kind == kind; });
}

void ContainerSniffer::open_magic(Magic magic) {
  const uint64_t start = offset_ - kMagicBytes;
  const auto kind = kind_of(magic);
  for (const auto& open : open_) {
    // A further member of a stream that is open already, or what was declared.
    const bool same = open.kind == kind || (magic == Magic::zlib && open.kind == "deflate");
    if (same && open.follower->begins_at(start - open.start)) return;
  }
  const auto begin = std::string_view(last_).substr(last_.size() - kMagicBytes);
  const size_t most = magic == Magic::zlib ? kMaxZlibGuesses : kMaxAtOnce;
  if (magic == Magic::zip) {
    const bool declared = declared_ == Archive::zip && !is_open("zip");
    declared_seen_ |= declared;
    add(kind, most, start, begin, [&](std::string name) {
      return std::make_unique<ZipEntry>(host_, std::move(name), start, declared ? Trust::declared : Trust::guessed);
    });
  } else {
    add(kind, most, start, begin, [&](std::string name) {
      return std::make_unique<CodedStream>(host_, std::move(name), codec_of(magic), Piece{start, {}, {}, {}},
                                           Trust::guessed, magic == Magic::zlib ? kProvenZlibBytes : kProvenBytes);
    });
  }
}

// `last` ends with the last bytes of the header; block_ has those before them.
void ContainerSniffer::open_tar(std::string_view last) {
  std::string header;
  if (last.size() < kTarBlockBytes) header.assign(block_.data(), kTarBlockBytes - last.size());
  header += last.substr(last.size() - (kTarBlockBytes - header.size()));
  const uint64_t start = offset_ + last.size() - kTarBlockBytes;
  const bool declared = declared_ == Archive::tar && start == piece_start_;
  declared_seen_ |= declared;
  add("tar", 1, start, header, [&](std::string name) {
    return std::make_unique<TarArchive>(host_, std::move(name), start, declared ? Trust::declared : Trust::guessed);
  });
}

template <class Make>
void ContainerSniffer::add(std::string_view kind, size_t most, uint64_t start, std::string_view begin, Make make) {
  size_t number = 1;
  while (std::any_of(open_.begin(), open_.end(),
                     [&](const Open& open) { return open.kind == kind && open.number == number; })) {
    ++number;
  }
  if (number > most) return too_many(kind);
  auto follower = make(number == 1 ? std::string(kind) : std::string(kind) + "#" + std::to_string(number));
  if (follower->feed(begin)) open_.push_back({std::string(kind), number, start, std::move(follower)});
}

}  // namespace gatehouse::dlp
