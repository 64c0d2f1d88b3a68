// What several validators need of short texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::dlp {

// Base64 in either alphabet, padded or not, without white space. Nothing for other characters or an impossible length.
std::optional<std::string> decode_base64(std::string_view text);

// -1 for what is no hex digit.
int hex_value(char c);

// How many different bytes there are.
int distinct_bytes(std::string_view text);

}  // namespace gatehouse::dlp
