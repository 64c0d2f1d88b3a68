// Frames of the WebSocket protocol (RFC 6455 section 5), read strictly and written anew. Passive.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace gatehouse::proxy {

enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
constexpr bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }
std::string_view to_string(Opcode opcode);

inline constexpr size_t kMaxControlBytes = 125;  // section 5.5
inline constexpr size_t kMaxCloseReasonBytes = kMaxControlBytes - 2;

// Close codes (section 7.4.1; 1014 as registered with IANA).
inline constexpr uint16_t kCloseNormal = 1000;
inline constexpr uint16_t kCloseGoingAway = 1001;
inline constexpr uint16_t kCloseProtocolError = 1002;
inline constexpr uint16_t kCloseInvalidData = 1007;
inline constexpr uint16_t kClosePolicy = 1008;
inline constexpr uint16_t kCloseTooBig = 1009;
inline constexpr uint16_t kCloseInternalError = 1011;
inline constexpr uint16_t kCloseBadGateway = 1014;
// Whether a peer may send it.
bool is_sendable_close_code(uint16_t code);

// Why a peer's bytes are no WebSocket, or too much of it: what to close with.
struct WebSocketFault {
  uint16_t code = kCloseProtocolError;
  std::string reason;
};

using MaskKey = std::array<char, 4>;

struct FrameHead {
  bool fin = true;
  bool compressed = false;  // RSV1, which permessage-deflate uses
  Opcode opcode = Opcode::text;
  uint64_t length = 0;
  std::optional<MaskKey> key;
};

// Who sends the frames: clients mask all of them, servers none (section 5.1).
enum class Sender { client, server };

class FrameHeadReader {
 public:
  explicit FrameHeadReader(Sender sender) : sender_(sender) {}

  // Takes bytes up to the end of a head; how many. Refused (1002): reserved bits but RSV1, reserved opcodes, a length
  // that is not in its shortest form or over 2^63, a control frame that is fragmented, compressed or longer than
  // kMaxControlBytes, a mask where there must be none and none where there must be one.
  tl::expected<size_t, WebSocketFault> feed(std::string_view bytes);
  bool complete() const { return complete_; }
  const FrameHead& head() const { return head_; }
  void next() {
    bytes_.clear();
    complete_ = false;
  }
  // Nothing of a next head has come.
  bool empty() const { return bytes_.empty(); }

 private:
  tl::expected<void, WebSocketFault> read_start();
  tl::expected<void, WebSocketFault> read_rest();
  size_t size() const;

  Sender sender_;
  std::string bytes_;
  FrameHead head_;
  bool complete_ = false;
};

// Masks, or unmasks; `offset` of the first byte in the payload.
void mask(char* bytes, size_t size, const MaskKey& key, uint64_t offset);
MaskKey random_mask_key();

// Appends a head.
void append_frame_head(std::string& out, const FrameHead& head);
// Appends a whole frame that is not fragmented, with a fresh key if `sender` is the client.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, Sender sender);
// The payload of a close frame; the reason is cut to what fits.
std::string close_payload(uint16_t code, std::string_view reason);

}  // namespace gatehouse::proxy
