#include "dlp/decode/zip.h"

#include <algorithm>

#include "common/codec/inflate.h"
#include "common/codec/zstd.h"
#include "dlp/decode/labels.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kHeaderBytes = 30;
constexpr uint16_t kEncrypted = 1;    // flag bit 0
constexpr uint16_t kSizesFollow = 8;  // flag bit 3: in a data descriptor
constexpr uint16_t kStored = 0, kDeflated = 8, kZstd = 93;
constexpr uint16_t kZip64 = 1;  // extra field
constexpr uint32_t kInZip64 = 0xffffffff;

uint64_t little(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

bool can_undo(uint64_t method) { return method == kStored || method == kDeflated || method == kZstd; }

// The compressed size in a zip64 field, which has the uncompressed one first; kInZip64 if there is none.
uint64_t zip64_size(std::string_view extra) {
  while (extra.size() >= 4) {
    const uint64_t id = little(extra, 0, 2);
    const size_t size = std::min<size_t>(little(extra, 2, 2), extra.size() - 4);
    if (id == kZip64 && size >= 16) return little(extra, 12, 8);
    extra.remove_prefix(4 + size);
  }
  return kInZip64;
}

}  // namespace

ZipEntry::ZipEntry(DecoderHost& host, std::string kind, uint64_t origin, Trust trust)
    : host_(host), kind_(std::move(kind)), origin_(origin), trust_(trust), header_bytes_(kHeaderBytes) {}

bool ZipEntry::fault(std::string_view reason) {
  if (trust_ == Trust::declared) host_.fault("zip", reason);
  return false;
}

Follower::Span ZipEntry::span() const {
  switch (stage_) {
    case Stage::header:
    case Stage::names:
      return {header_bytes_ - header_.size(), false};
    case Stage::stored:
      return {stored_left_, true};
    case Stage::coded:
      break;
  }
  return {};
}

// False as long as something is missing.
bool ZipEntry::take_header(std::string_view& bytes) {
  const size_t taken = std::min(header_bytes_ - header_.size(), bytes.size());
  header_ += bytes.substr(0, taken);
  bytes.remove_prefix(taken);
  return header_.size() == header_bytes_;
}

bool ZipEntry::feed(std::string_view bytes) {
  if (stage_ == Stage::header) {
    if (!take_header(bytes)) return true;
    // What only looks like an entry, and no program could open, is none.
    if (trust_ == Trust::guessed && !can_undo(little(header_, 8, 2))) return false;
    header_bytes_ += little(header_, 26, 2) + little(header_, 28, 2);
    stage_ = Stage::names;
  }
  if (stage_ == Stage::names) {
    if (!take_header(bytes)) return true;
    if (!begin_data()) return false;
  }
  if (stage_ == Stage::stored) {
    const size_t taken = std::min<uint64_t>(stored_left_, bytes.size());
    stored_left_ -= taken;
    const bool wanted = taken == 0 || writer_->write(bytes.substr(0, taken));
    if (wanted && stored_left_ > 0) return true;
    writer_->end(true);
    return false;
  }
  if (bytes.empty()) return true;
  const auto step = codec_->decode(bytes, *writer_);
  if (step.state == Codec::State::more) return true;
  writer_->end(true);
  if (step.state == Codec::State::failed) fault(codec_->error());
  return false;
}

bool ZipEntry::begin_data() {
  const auto flags = static_cast<uint16_t>(little(header_, 6, 2));
  const auto method = static_cast<uint16_t>(little(header_, 8, 2));
  const size_t name_bytes = little(header_, 26, 2);
  const std::string_view name = std::string_view(header_).substr(kHeaderBytes, name_bytes);
  uint64_t size = little(header_, 18, 4);
  if (size == kInZip64) size = zip64_size(std::string_view(header_).substr(kHeaderBytes + name_bytes));

  if (!name.empty()) {
    PieceWriter names(host_, kind_, {origin_ + kHeaderBytes, "entry-name", {}, {}}, Copied::yes);
    const bool wanted = names.write(name);
    names.end(true);
    if (!wanted) return false;
  }
  if ((flags & kEncrypted) != 0) return fault("an encrypted entry");
  writer_ = std::make_unique<PieceWriter>(host_, kind_, Piece{origin_ + header_.size(), label("entry", name), {}, {}},
                                          method == kStored ? Copied::yes : Copied::no);
  if (method == kStored) {
    const bool unknown = ((flags & kSizesFollow) != 0 && size == 0) || size == kInZip64;
    stored_left_ = unknown ? 0 : size;
    stage_ = Stage::stored;
  } else if (method == kDeflated) {
    codec_ = std::make_unique<Inflate>(Inflate::Format::raw);
    stage_ = Stage::coded;
  } else if (method == kZstd) {
    codec_ = std::make_unique<Zstd>(kFileZstdWindowLog, Zstd::Frames::first);
    stage_ = Stage::coded;
  } else {
    return fault("an entry compressed in a way that cannot be undone");
  }
  header_ = {};
  return true;
}

void ZipEntry::finish() {
  if (writer_) writer_->end(true);
  fault("cut short");
}

}  // namespace gatehouse::dlp
