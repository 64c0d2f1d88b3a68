// JSON with comments as a tree that knows where in the text each value stands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/policy/source_text.h"

namespace gatehouse::policy {

struct JsonMember;

struct JsonNode {
  enum class Kind { null, boolean, integer, real, string, array, object };
  Kind kind = Kind::null;
  size_t offset = 0;  // of its first byte
  bool boolean = false;
  int64_t integer = 0;
  std::string text;                 // string
  std::vector<JsonNode> items;      // array
  std::vector<JsonMember> members;  // object, in the order written

  const JsonNode* find(std::string_view key) const;
};

struct JsonMember {
  std::string key;
  size_t offset = 0;  // of the key's opening quote
  JsonNode value;
};

// "a list", "a number"...: for "must be X, not Y".
std::string_view kind_name(JsonNode::Kind kind);

// Errors, each with its place: larger than kMaxPolicyBytes, empty, a NUL byte, a byte order mark, invalid UTF-8,
// whatever is no JSON, a duplicate key, deeper than kMaxPolicyDepth. Integers beyond int64 are `real`.
Result<JsonNode> parse_json(const SourceText& source);

}  // namespace gatehouse::policy
