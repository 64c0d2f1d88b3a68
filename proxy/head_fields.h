// What requests and responses have in common once the bytes of their head are sound: fields, framing, persistence, and
// llhttp's second opinion.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

// The field lines of a head or trailer section that HeadBuffer has accepted. `bytes` begins with the first of them and
// ends with the empty line.
Fields split_fields(std::string_view bytes);

// What Content-Length and Transfer-Encoding say, taken together (RFC 9112 sections 6.1 to 6.3). Refused: either one
// twice, a list or anything but digits as Content-Length, both at once, Transfer-Encoding other than a single
// "chunked", Transfer-Encoding in HTTP/1.0.
struct DeclaredFraming {
  std::optional<uint64_t> content_length;
  bool chunked = false;
};
tl::expected<DeclaredFraming, Refusal> declared_framing(const Fields& fields, int minor_version);

// HTTP/1.1 without "Connection: close". HTTP/1.0 connections are never kept.
bool wants_keep_alive(const Fields& fields, int minor_version);

// Reads the whole head with llhttp, every strict flag as it is, and refuses it unless llhttp accepts it and sees the
// same start line and fields: what two readers understand differently is not forwarded. `bytes` is the whole head.
tl::expected<void, Refusal> confirm_request(std::string_view bytes, const RequestHead& head);
tl::expected<void, Refusal> confirm_response(std::string_view bytes, const ResponseHead& head);

}  // namespace gatehouse::proxy
