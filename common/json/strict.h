// JSON (RFC 8259) from somebody who is not trusted, read in the one way that every reader agrees on or not at all: what
// comes out can be judged, written anew and forwarded, and the peer reads what was judged.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::json {

using Value = nlohmann::json;

struct Limits {
  size_t bytes = 4 << 20;
  int depth = 64;           // containers within containers
  size_t values = 200'000;  // of all kinds, keys not counted: bounds the memory that a few bytes each can ask for
};

// Exactly one value with nothing but whitespace around it. Refused, in words without a byte of the text: what is over
// `limits`, NUL bytes, a byte order mark, invalid UTF-8 and lone surrogates, duplicate keys, integers beyond 64 bits
// and other numbers that do not survive, whatever else is no JSON.
Result<Value> read(std::string_view text, const Limits& limits = {});

// One line of pure ASCII, which no reader splits or reads otherwise. Only for what came from read(), or from our own
// texts in UTF-8.
std::string write(const Value& value);

}  // namespace gatehouse::json
