// From the bytes of a request head to its meaning.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "proxy/head_buffer.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

// The first line: fills method, target and minor_version. RFC 9112 section 3, to the letter.
tl::expected<void, Refusal> parse_request_line(std::string_view line, RequestHead& head);

// The rest, once `buffer` is complete. `head` has its first line and scheme.
tl::expected<void, Refusal> parse_request_fields(const HeadBuffer& buffer, RequestHead& head);

}  // namespace gatehouse::proxy
