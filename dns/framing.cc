#include "dns/framing.h"

#include <cassert>
#include <cstdint>

#include "dns/message.h"

namespace gatehouse::dns {

namespace {
constexpr size_t kLengthBytes = 2;
constexpr size_t kKeptBytes = 1024;  // an idle connection keeps no larger buffer
}  // namespace

void MessageReader::feed(std::string_view bytes) {
  if (at_ > 0) buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(bytes);
}

std::optional<std::string_view> MessageReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) {
    buffer_.clear();
    at_ = 0;
    if (buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  }
  if (rest.size() < kLengthBytes) return std::nullopt;
  const size_t length = static_cast<uint8_t>(rest[0]) << 8 | static_cast<uint8_t>(rest[1]);
  if (rest.size() - kLengthBytes < length) return std::nullopt;
  at_ += kLengthBytes + length;
  return rest.substr(kLengthBytes, length);
}

void append_frame(std::string_view message, std::string& out) {
  assert(message.size() <= kMaxMessageBytes);
  out += static_cast<char>(message.size() >> 8);
  out += static_cast<char>(message.size() & 0xff);
  out += message;
}

}  // namespace gatehouse::dns
