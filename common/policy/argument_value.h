// What a rule asks of one value in the arguments of a tool call: a subset of JSON Schema (2020-12), and what it has no
// word for.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/policy/field_condition.h"
#include "common/policy/path_glob.h"
#include "common/policy/text_pattern.h"

namespace gatehouse::policy {

using ArgumentScalar = std::variant<std::nullptr_t, bool, int64_t, std::string>;
enum class ArgumentType { boolean, integer, number, string, array, object };
inline constexpr std::string_view kArgumentTypeNames[] = {"boolean", "integer", "number", "string", "array", "object"};

// Whether the http rules allow it.
using UrlAllowed = std::function<bool(std::string_view url)>;

struct ArgumentProperty;

// All that is said must hold.
struct ArgumentValue {
  std::optional<ArgumentType> type;
  std::optional<std::vector<ArgumentScalar>> one_of;
  std::optional<std::vector<std::string>> globs;     // '*' for any characters; one must match
  std::optional<std::vector<TextPattern>> patterns;  // one must match the whole text
  std::optional<std::vector<PathGlob>> paths;        // one must match; no dot segments or what else leads elsewhere
  std::optional<int64_t> least;
  std::optional<int64_t> most;
  std::optional<uint64_t> least_characters;
  std::optional<uint64_t> most_characters;
  bool url = false;  // an http(s) URL that the http rules let a GET through to
  // Of an array:
  std::optional<uint64_t> least_items;
  std::optional<uint64_t> most_items;
  std::vector<ArgumentValue> items;  // none or one: what holds for each
  // Of an object:
  std::vector<ArgumentProperty> properties;  // what holds for those that are there
  std::vector<std::string> required;
  bool closed = false;  // no properties but these
  // Of any:
  std::vector<ArgumentValue> any_of;  // if there are some, one must hold

  // "in /srv/**, at most 100 characters"
  std::string to_string() const;
};

struct ArgumentProperty {
  std::string name;
  ArgumentValue value;
};

// `unsure` where a server may take the value so that it meets all this: one of another type, letters in another case,
// escapes, keys that differ in case alone.
Met value_met(const ArgumentValue& wanted, const nlohmann::json& value, const UrlAllowed& url_allowed);

}  // namespace gatehouse::policy
