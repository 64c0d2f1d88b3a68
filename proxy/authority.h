// The host and port of a request, read so strictly that no two readers can understand them differently.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

// The host and port of a Host field or an authority-form target ("Example.COM.:8080"); port 0 when none is given.
// Refused: userinfo, an empty or overlong name, a character no DNS name has (letters, digits, '-', '_', '.'), an empty
// label, percent-encoding, an empty, zero, zero-padded or too large port, bad brackets.
struct Authority {
  std::string host;
  uint16_t port = 0;
};
tl::expected<Authority, Refusal> parse_authority(std::string_view text);

}  // namespace gatehouse::proxy
