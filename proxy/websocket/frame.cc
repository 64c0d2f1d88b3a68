#include "proxy/websocket/frame.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

namespace gatehouse::proxy {

namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kRsv1 = 0x40;
constexpr uint8_t kOtherRsv = 0x30;
constexpr uint8_t kOpcode = 0x0f;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLength = 0x7f;
constexpr uint8_t kLength16 = 126;
constexpr uint8_t kLength64 = 127;

tl::unexpected<WebSocketFault> breach(std::string reason) {
  return tl::unexpected(WebSocketFault{kCloseProtocolError, std::move(reason)});
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

}  // namespace

std::string_view to_string(Opcode opcode) {
  switch (opcode) {
    case Opcode::continuation:
      return "continuation";
    case Opcode::text:
      return "text";
    case Opcode::binary:
      return "binary";
    case Opcode::close:
      return "close";
    case Opcode::ping:
      return "ping";
    case Opcode::pong:
      return "pong";
  }
  return {};
}

bool is_sendable_close_code(uint16_t code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

// As far as its own first bytes tell.
size_t FrameHeadReader::size() const {
  if (bytes_.size() < 2) return 2;
  const auto second = static_cast<uint8_t>(bytes_[1]);
  const uint8_t length = second & kLength;
  return 2 + (length == kLength16 ? 2U : length == kLength64 ? 8U : 0U) + ((second & kMasked) != 0 ? 4U : 0U);
}

tl::expected<size_t, WebSocketFault> FrameHeadReader::feed(std::string_view bytes) {
  size_t taken = 0;
  while (!complete_ && taken < bytes.size()) {
    bytes_ += bytes[taken++];
    if (bytes_.size() == 2) {
      if (auto ok = read_start(); !ok) return tl::unexpected(ok.error());
    }
    if (bytes_.size() >= 2 && bytes_.size() == size()) {
      if (auto ok = read_rest(); !ok) return tl::unexpected(ok.error());
      complete_ = true;
    }
  }
  return taken;
}

tl::expected<void, WebSocketFault> FrameHeadReader::read_start() {
  const auto first = static_cast<uint8_t>(bytes_[0]);
  const auto second = static_cast<uint8_t>(bytes_[1]);
  head_ = FrameHead{};
  head_.fin = (first & kFin) != 0;
  head_.compressed = (first & kRsv1) != 0;
  if ((first & kOtherRsv) != 0) return breach("a reserved bit is set");
  const uint8_t opcode = first & kOpcode;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return breach("an opcode is reserved");
  head_.opcode = static_cast<Opcode>(opcode);
  if (is_control(head_.opcode)) {
    if (!head_.fin) return breach("a control frame is fragmented");
    if (head_.compressed) return breach("a control frame is compressed");
    if ((second & kLength) > kMaxControlBytes) return breach("a control frame is too long");
  }
  const bool masked = (second & kMasked) != 0;
  if (sender_ == Sender::client && !masked) return breach("a frame of a client is not masked");
  if (sender_ == Sender::server && masked) return breach("a frame of a server is masked");
  return {};
}

tl::expected<void, WebSocketFault> FrameHeadReader::read_rest() {
  std::string_view rest(bytes_);
  const uint8_t length = static_cast<uint8_t>(bytes_[1]) & kLength;
  rest.remove_prefix(2);
  head_.length = length;
  if (length == kLength16 || length == kLength64) {
    const size_t size = length == kLength16 ? 2 : 8;
    head_.length = big_endian(rest.substr(0, size));
    rest.remove_prefix(size);
    if (head_.length < (size == 2 ? 126U : 0x10000U)) return breach("a length is not in its shortest form");
    if (head_.length >> 63 != 0) return breach("a length is over 2^63");
  }
  if (!rest.empty()) {
    head_.key.emplace();
    rest.copy(head_.key->data(), head_.key->size());
  }
  return {};
}

void mask(char* bytes, size_t size, const MaskKey& key, uint64_t offset) {
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ key[(offset + i) & 3]);
}

MaskKey random_mask_key() {
  MaskKey key;
  // Without randomness a key could be told in advance (RFC 6455 section 10.3).
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) std::abort();
  return key;
}

void append_frame_head(std::string& out, const FrameHead& head) {
  out += static_cast<char>((head.fin ? kFin : 0) | (head.compressed ? kRsv1 : 0) | static_cast<uint8_t>(head.opcode));
  const uint8_t masked = head.key ? kMasked : 0;
  const size_t wide = head.length < kLength16 ? 0 : head.length <= 0xffff ? 2 : 8;
  out += static_cast<char>(masked | (wide == 0   ? static_cast<uint8_t>(head.length)
                                     : wide == 2 ? kLength16
                                                 : kLength64));
  for (size_t i = wide; i > 0; --i) out += static_cast<char>(head.length >> (8 * (i - 1)) & 0xff);
  if (head.key) out.append(head.key->data(), head.key->size());
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload, Sender sender) {
  FrameHead head{.opcode = opcode, .length = payload.size(), .key = {}};
  if (sender == Sender::client) head.key = random_mask_key();
  append_frame_head(out, head);
  const size_t start = out.size();
  out += payload;
  if (head.key) mask(out.data() + start, payload.size(), *head.key, 0);
}

std::string close_payload(uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  // Not within a character of UTF-8.
  size_t size = std::min(reason.size(), kMaxCloseReasonBytes);
  while (size > 0 && size < reason.size() && (static_cast<uint8_t>(reason[size]) & 0xc0) == 0x80) --size;
  return payload.append(reason.substr(0, size));
}

}  // namespace gatehouse::proxy
