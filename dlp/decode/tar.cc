#include "dlp/decode/tar.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "dlp/decode/labels.h"

namespace gatehouse::dlp {

namespace {

struct Field {
  size_t at, size;
};
constexpr Field kName = {0, 100}, kSize = {124, 12}, kSum = {148, 8}, kLink = {157, 100}, kMagic = {257, 8},
                kPrefix = {345, 155};
constexpr size_t kType = 156;
constexpr size_t kMaxExtensionBytes = 64 * 1024;  // kept of an extended header; the rest is only handed on
constexpr uint64_t kMaxSize = uint64_t{1} << 62;

std::string_view text(std::string_view block, Field field) {
  const auto bytes = block.substr(field.at, field.size);
  return bytes.substr(0, std::min(bytes.find('\0'), bytes.size()));
}

// Octal digits with blanks in front, ended by a blank, a NUL or the field.
std::optional<uint64_t> octal(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && bytes[at] == ' ') ++at;
  uint64_t value = 0;
  const size_t first = at;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
    value = value << 3 | static_cast<uint64_t>(bytes[at] - '0');
  }
  if (at == first || (at < bytes.size() && bytes[at] != ' ' && bytes[at] != '\0')) return std::nullopt;
  return value;
}

// A size is octal, or big-endian binary behind a byte of 0x80 (GNU); what is neither is none.
uint64_t size_of(std::string_view bytes) {
  if (static_cast<uint8_t>(bytes[0]) == 0x80) {
    uint64_t value = 0;
    for (const char byte : bytes.substr(bytes.size() - 8)) value = value << 8 | static_cast<uint8_t>(byte);
    return std::min(value, kMaxSize);
  }
  return octal(bytes).value_or(0);
}

bool all_zeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

// The value of `key` in pax records, "LENGTH KEY=VALUE\n".
std::optional<std::string_view> pax_value(std::string_view records, std::string_view key) {
  while (!records.empty()) {
    size_t length = 0;
    const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<size_t>(end - records.data());
    if (error != std::errc() || length <= digits + 1 || length > records.size()) return std::nullopt;
    const auto record = records.substr(digits + 1, length - digits - 2);
    if (record.size() > key.size() && record.starts_with(key) && record[key.size()] == '=') {
      return record.substr(key.size() + 1);
    }
    records.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace

bool is_tar_header(const char* block) {
  const std::string_view bytes(block, kTarBlockBytes);
  const auto sum_bytes = bytes.substr(kSum.at, kSum.size);
  // Writers fill the field with digits or blanks; cheap, and so for most blocks all there is to do.
  const auto fills = [](char c) { return (c >= '0' && c <= '7') || c == ' '; };
  if (bytes[0] == 0 || !std::all_of(sum_bytes.begin(), sum_bytes.begin() + 6, fills)) return false;
  const auto sum = octal(sum_bytes);
  if (!sum) return false;
  uint32_t all = 0, high = 0;
  for (const char byte : bytes) {
    all += static_cast<uint8_t>(byte);
    high += static_cast<uint8_t>(byte) >> 7;
  }
  uint32_t high_in_sum = 0;
  for (const char byte : sum_bytes) {
    all -= static_cast<uint8_t>(byte);
    high_in_sum += static_cast<uint8_t>(byte) >> 7;
  }
  all += static_cast<uint32_t>(kSum.size) * ' ';
  // Some old writers summed signed bytes.
  return *sum == all || *sum == static_cast<uint64_t>(all) - 256 * uint64_t{high - high_in_sum};
}

TarArchive::TarArchive(DecoderHost& host, std::string kind, uint64_t origin, Trust trust)
    : host_(host), kind_(std::move(kind)), origin_(origin), trust_(trust) {}

bool TarArchive::fault(std::string_view reason) {
  if (trust_ == Trust::declared) host_.fault("tar", reason);
  return false;
}

Follower::Span TarArchive::span() const { return {left_, stage_ == Stage::content}; }

bool TarArchive::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t taken = std::min<uint64_t>(left_, bytes.size());
    const auto part = bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    left_ -= taken;
    offset_ += taken;
    if (stage_ == Stage::header) {
      block_ += part;
      if (left_ == 0 && !read_header()) return false;
    } else if (stage_ == Stage::content) {
      if (extends_ != 0)
        extension_ += part.substr(0, kMaxExtensionBytes - std::min(kMaxExtensionBytes, extension_.size()));
      if (!writer_->write(part)) {
        writer_->end(true);
        return false;
      }
      if (left_ == 0) end_of_content();
    } else if (left_ == 0) {
      begin_header();
    }
  }
  return true;
}

void TarArchive::begin_header() {
  stage_ = Stage::header;
  left_ = kTarBlockBytes;
  block_.clear();
}

bool TarArchive::write_name(std::string_view name) {
  if (name.empty()) return true;
  PieceWriter names(host_, kind_, {origin_ + offset_ - kTarBlockBytes, "entry-name", {}, {}});
  const bool wanted = names.write(name);
  names.end(true);
  return wanted;
}

bool TarArchive::read_header() {
  if (all_zeros(block_)) {
    if (zeros_) return false;
    zeros_ = true;
    begin_header();
    return true;
  }
  if (!is_tar_header(block_.data())) return fault("a block that is no header");
  zeros_ = false;

  const char type = block_[kType];
  uint64_t size = size_of(std::string_view(block_).substr(kSize.at, kSize.size));
  std::string label_text = "entry-header";
  extends_ = type == 'L' || type == 'K' || type == 'x' ? type : 0;
  extension_.clear();
  if (extends_ == 0 && type != 'g') {
    std::string name(text(block_, kName));
    // GNU's magic ends with a blank; its headers have other things where ustar has a prefix.
    const bool ustar =
        std::string_view(block_).substr(kMagic.at, kMagic.size).starts_with(std::string_view("ustar\0", 6));
    if (const auto prefix = text(block_, kPrefix); ustar && !prefix.empty()) name = std::string(prefix) + "/" + name;
    if (!long_name_.empty()) name = std::move(long_name_);
    long_name_.clear();
    if (has_long_size_) size = long_size_;
    has_long_size_ = false;
    if (!write_name(name) || !write_name(text(block_, kLink))) return false;
    label_text = label("entry", name);
    const bool no_content = type == '1' || type == '2' || type == '5';
    if (no_content) size = 0;
  }
  if (size == 0) {
    begin_header();
    return true;
  }
  size = std::min(size, kMaxSize);
  stage_ = Stage::content;
  left_ = size;
  padding_ = (kTarBlockBytes - size % kTarBlockBytes) % kTarBlockBytes;
  writer_ = std::make_unique<PieceWriter>(host_, kind_, Piece{origin_ + offset_, label_text, {}, {}}, Copied::yes);
  return true;
}

void TarArchive::end_of_content() {
  writer_->end(true);
  writer_ = nullptr;
  if (extends_ == 'L') {
    long_name_ = extension_.substr(0, extension_.find('\0'));
  } else if (extends_ == 'x') {
    if (const auto path = pax_value(extension_, "path")) long_name_ = *path;
    if (const auto size = pax_value(extension_, "size")) {
      has_long_size_ = std::from_chars(size->data(), size->data() + size->size(), long_size_).ec == std::errc();
    }
  }
  extends_ = 0;
  if (padding_ == 0) return begin_header();
  stage_ = Stage::padding;
  left_ = padding_;
}

void TarArchive::finish() {
  if (writer_) {
    writer_->end(true);
    fault("cut short");
  } else if (stage_ != Stage::header || !block_.empty()) {
    fault("cut short");
  }
}

}  // namespace gatehouse::dlp
