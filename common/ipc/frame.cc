#include "common/ipc/frame.h"

#include <cassert>

namespace gatehouse::ipc {

void append_frame(std::string& out, uint8_t type, std::string_view payload) {
  assert(payload.size() <= kMaxFramePayloadBytes);
  const auto length = static_cast<uint32_t>(payload.size() + 1);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(length >> shift & 0xff);
  out += static_cast<char>(type);
  out += payload;
}

std::string encode_frame(uint8_t type, std::string_view payload) {
  std::string out;
  out.reserve(kFrameHeaderBytes + payload.size());
  append_frame(out, type, payload);
  return out;
}

// Moving the rest to the front costs once per buffer, not once per frame.
void FrameReader::feed(std::string_view bytes) {
  if (read_ == buffer_.size() || read_ > max_payload_bytes_) {
    buffer_.erase(0, read_);
    read_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<FrameView>> FrameReader::next_view() {
  const std::string_view rest = std::string_view(buffer_).substr(read_);
  if (rest.size() < 4) return std::nullopt;
  uint32_t length = 0;
  for (int i = 3; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(rest[static_cast<size_t>(i)]);
  if (length == 0) return fail("frame without a type");
  if (length - 1 > max_payload_bytes_) {
    return fail("frame of {} bytes is over the limit of {}", length - 1, max_payload_bytes_);
  }
  if (rest.size() - 4 < length) return std::nullopt;
  read_ += 4 + length;
  return FrameView{static_cast<uint8_t>(rest[4]), rest.substr(kFrameHeaderBytes, length - 1)};
}

Result<std::optional<Frame>> FrameReader::next() {
  const auto view = next_view();
  if (!view) return failed(view);
  if (!*view) return std::nullopt;
  return Frame{(*view)->type, std::string((*view)->payload)};
}

}  // namespace gatehouse::ipc
