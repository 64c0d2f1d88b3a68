// One text for one value: the JSON Canonicalization Scheme (RFC 8785), by which two who hold the same value come to the
// same bytes, however either was sent it.
#pragma once

#include <string>

#include "common/json/strict.h"

namespace gatehouse::json {

// Members in the order of their names as UTF-16, no spaces, no escapes but those that must be, numbers as ECMAScript
// writes a double: 1, 1.0 and 1e0 are one number, and so are integers that a double does not tell apart. Only for what
// came from read(), which has no other numbers and bounds the depth.
std::string write_canonical(const Value& value);

}  // namespace gatehouse::json
