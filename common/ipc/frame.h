// Length-prefixed frames: u32 little-endian length of what follows, u8 type, payload. Used by the guest agent and,
// later, by the scanner and the supervisor's control socket. Control payloads are JSON, data payloads raw bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::ipc {

inline constexpr size_t kFrameHeaderBytes = 5;
inline constexpr size_t kMaxFramePayloadBytes = 1 << 20;

struct Frame {
  uint8_t type = 0;
  std::string payload;
};

// A frame where it lies in its reader's buffer: valid until the reader is fed.
struct FrameView {
  uint8_t type = 0;
  std::string_view payload;
};

// Appends one frame to `out`. The payload is at most kMaxFramePayloadBytes (asserted: senders split).
void append_frame(std::string& out, uint8_t type, std::string_view payload);
std::string encode_frame(uint8_t type, std::string_view payload);

// Cuts a byte stream into frames. Bytes come from the other side and are hostile.
class FrameReader {
 public:
  explicit FrameReader(size_t max_payload_bytes = kMaxFramePayloadBytes) : max_payload_bytes_(max_payload_bytes) {}

  void feed(std::string_view bytes);

  // The next whole frame, nothing when more bytes are needed, or an error for a length of 0 (a frame has at least its
  // type) or above the limit. After an error the stream has no frame boundaries any more: close it.
  Result<std::optional<FrameView>> next_view();
  Result<std::optional<Frame>> next();  // the same, as a copy

  // True when the stream may end here: no frame is begun.
  bool at_boundary() const { return read_ == buffer_.size(); }

 private:
  size_t max_payload_bytes_;
  std::string buffer_;
  size_t read_ = 0;
};

}  // namespace gatehouse::ipc
