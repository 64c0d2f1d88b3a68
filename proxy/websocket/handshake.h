// The opening handshake (RFC 6455 section 4) and the one extension that is understood, permessage-deflate (RFC 7692).
// Pure: values of header fields in, values out. Both sides of the proxy shake hands for themselves: nothing of the
// guest's key goes upstream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::proxy {

inline constexpr std::string_view kWebSocketVersion = "13";

// Sixteen random bytes in base64; and whether a key is that.
std::string random_websocket_key();
bool is_websocket_key(std::string_view key);
// What the server answers to a key.
std::string websocket_accept(std::string_view key);

// Of one side, as agreed upon. What the proxy itself sends is never compressed, so that only the other side's way of
// doing it counts.
struct DeflateAgreement {
  bool deflate = false;
  bool takeover = false;  // its messages may refer to those before them
  bool operator==(const DeflateAgreement&) const = default;
};

// The answer to a client's offers (the values of Sec-WebSocket-Extensions as one list): the first that can be taken.
// `answer` is the value to send, empty when none is taken. Extensions that are not known are declined.
struct DeflateAnswer {
  DeflateAgreement agreement;
  std::string answer;
};
DeflateAnswer answer_extensions(std::string_view offers);

// What is offered to a server, and what its answer comes to; nothing when it answers what was not offered, or oddly:
// then the connection fails (RFC 6455 section 4.1).
inline constexpr std::string_view kDeflateOffer = "permessage-deflate";
std::optional<DeflateAgreement> take_extensions(std::string_view answer, bool offered);

}  // namespace gatehouse::proxy
