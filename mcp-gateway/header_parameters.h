// Arguments of a tool that its schema has mirrored in header fields (specification 2026-07-28, server/tools,
// x-mcp-header), and how texts are written there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

struct MirroredParameter {
  std::string header;             // the field's name behind "Mcp-Param-"
  std::vector<std::string> path;  // of properties, from the arguments down
};

// Refuses a schema that breaks the rules: a name that is no token or is there twice, a place that not every call
// reaches, a type other than string, integer and boolean.
Result<std::vector<MirroredParameter>> mirrored_parameters(const Value& schema);

// What such arguments come to: a field's name behind "Mcp-Param-", and its text. Those that are absent or null have
// none. The schema must be sound.
std::vector<std::pair<std::string, std::string>> parameter_values(const Value& schema, const Value& arguments);

// A text as a field's value: as it is, or as =?base64?…?= when a field cannot hold it, or it looks like such a one.
std::string field_value(std::string_view text);
// And back. Nothing: it looks encoded and is not.
std::optional<std::string> text_of_field(std::string_view value);

}  // namespace gatehouse::mcp
