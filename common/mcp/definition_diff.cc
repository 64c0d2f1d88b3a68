#include "common/mcp/definition_diff.h"

#include <algorithm>

namespace gatehouse::mcp {

namespace {

constexpr size_t kAround = 40;  // bytes shown of what agrees before and after a change in a text
constexpr std::string_view kLeftOut = "...";

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string quoted(std::string_view text) {
  return json::Value(std::string(text)).dump(-1, ' ', true, json::Value::error_handler_t::replace);
}

// `text` but for what agrees at its beginning and end, so far as that is long.
std::string cut(std::string_view text, size_t alike_before, size_t alike_after) {
  size_t from = alike_before > kAround ? alike_before - kAround : 0;
  while (from > 0 && continues_character(text[from])) --from;
  size_t to = text.size() - (alike_after > kAround ? alike_after - kAround : 0);
  while (to < text.size() && continues_character(text[to])) ++to;
  return fmt::format("{}{}{}", from > 0 ? kLeftOut : "", quoted(text.substr(from, to - from)),
                     to < text.size() ? kLeftOut : "");
}

void add(std::string& out, std::string_view at, const std::string& before, const std::string& after) {
  // The pointer's keys are the server's words, too.
  const std::string place = quoted(at);
  out += fmt::format("  {}\n", at.empty() ? "(all)" : place.substr(1, place.size() - 2));
  if (!before.empty()) out += fmt::format("-   {}\n", before);
  if (!after.empty()) out += fmt::format("+   {}\n", after);
}

std::string whole(const json::Value& value) { return value.dump(-1, ' ', true, json::Value::error_handler_t::replace); }

void compare_texts(std::string_view at, std::string_view before, std::string_view after, std::string& out) {
  const size_t shorter = std::min(before.size(), after.size());
  const auto first = std::mismatch(before.begin(), before.begin() + static_cast<ptrdiff_t>(shorter), after.begin());
  const auto alike_before = static_cast<size_t>(first.first - before.begin());
  const auto last =
      std::mismatch(before.rbegin(), before.rbegin() + static_cast<ptrdiff_t>(shorter - alike_before), after.rbegin());
  const auto alike_after = static_cast<size_t>(last.first - before.rbegin());
  add(out, at, cut(before, alike_before, alike_after), cut(after, alike_before, alike_after));
}

std::string below(std::string_view at, std::string_view token) {
  std::string pointer(at);
  pointer += '/';
  for (const char c : token) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return pointer;
}

// Both are as deep as their reader lets anything be.
void compare(const std::string& at, const json::Value& before, const json::Value& after, std::string& out) {
  if (whole(before) == whole(after)) return;  // to the letter: 1 is not 1.0, as it is not for the pin
  if (before.is_string() && after.is_string()) {
    return compare_texts(at, before.get_ref<const std::string&>(), after.get_ref<const std::string&>(), out);
  }
  if (before.is_array() && after.is_array()) {
    for (size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
      const std::string place = below(at, std::to_string(i));
      if (i >= after.size()) {
        add(out, place, whole(before[i]), "");
      } else if (i >= before.size()) {
        add(out, place, "", whole(after[i]));
      } else {
        compare(place, before[i], after[i], out);
      }
    }
    return;
  }
  // Of a definition that is new every member is shown by itself.
  if ((before.is_object() || before.is_null()) && after.is_object()) {
    for (const auto& [key, member] : before.items()) {
      if (before.is_object() && !after.contains(key)) add(out, below(at, key), whole(member), "");
    }
    for (const auto& [key, member] : after.items()) {
      if (before.is_object() && before.contains(key)) {
        compare(below(at, key), before[key], member, out);
      } else {
        add(out, below(at, key), "", whole(member));
      }
    }
    return;
  }
  add(out, at, whole(before), whole(after));
}

}  // namespace

std::string definition_diff(const json::Value& before, const json::Value& after) {
  std::string out;
  compare("", before, after, out);
  return out;
}

}  // namespace gatehouse::mcp
