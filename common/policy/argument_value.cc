#include "common/policy/argument_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gatehouse::policy {

namespace {

using Json = nlohmann::json;

Met stricter_of(Met a, Met b) { return std::min(a, b); }
Met yes_if(bool holds) { return holds ? Met::yes : Met::no; }

bool is_number(const Json& value) { return value.is_number(); }

Met type_of(ArgumentType wanted, const Json& value) {
  switch (wanted) {
    case ArgumentType::boolean:
      return yes_if(value.is_boolean());
    case ArgumentType::integer:
      return yes_if(value.is_number_integer());
    case ArgumentType::number:
      return yes_if(value.is_number());
    case ArgumentType::string:
      return yes_if(value.is_string());
    case ArgumentType::array:
      return yes_if(value.is_array());
    case ArgumentType::object:
      return yes_if(value.is_object());
  }
  return Met::no;
}

// nlohmann compares integers and floating point as numbers; a value of another kind is one that a lenient server may
// turn into the one that is spoken of.
Met equals(const ArgumentScalar& wanted, const Json& value) {
  if (std::holds_alternative<std::nullptr_t>(wanted)) return yes_if(value.is_null());
  if (value.is_null()) return Met::no;
  if (const auto* flag = std::get_if<bool>(&wanted)) {
    return value.is_boolean() ? yes_if(value.get<bool>() == *flag) : Met::unsure;
  }
  if (const auto* number = std::get_if<int64_t>(&wanted)) {
    return is_number(value) ? yes_if(value == Json(*number)) : Met::unsure;
  }
  if (!value.is_string()) return Met::unsure;
  const auto& text = value.get_ref<const std::string&>();
  const auto& other = std::get<std::string>(wanted);
  return text == other ? Met::yes : fold_case(text) == fold_case(other) ? Met::unsure : Met::no;
}

Met any_of(const auto& list, auto meets_one) {
  Met best = Met::no;
  for (const auto& item : list) best = std::max(best, meets_one(item));
  return best;
}

Met glob_met(const std::string& glob, const Json& value) {
  if (!value.is_string()) return Met::unsure;
  const auto& text = value.get_ref<const std::string&>();
  if (glob_matches(glob, text, Case::told_apart)) return Met::yes;
  return glob_matches(glob, text, Case::ignored) ? Met::unsure : Met::no;
}

// A file's path that leads where it says, as far as its letters go.
bool is_plain_path(std::string_view path) {
  if (!path.starts_with('/') || path.find("//") != std::string_view::npos) return false;
  const bool odd = std::any_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\' || c == '%';
  });
  if (odd) return false;
  for (size_t at = 1; at <= path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    const auto segment = path.substr(at, slash - at);
    if (segment == "." || segment == "..") return false;
    at = slash + 1;
  }
  return true;
}

Met path_met(const PathGlob& glob, const Json& value) {
  if (!value.is_string()) return Met::unsure;
  const auto& text = value.get_ref<const std::string&>();
  if (!is_plain_path(text)) return Met::unsure;
  if (glob.matches(text, Case::told_apart)) return Met::yes;
  return glob.matches(text, Case::ignored) ? Met::unsure : Met::no;
}

// Characters as JSON has them: code points, that is bytes that do not continue one.
uint64_t characters_in(std::string_view text) {
  return static_cast<uint64_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Met pattern_met(const TextPattern& pattern, const Json& value) {
  if (!value.is_string()) return Met::unsure;
  const auto& text = value.get_ref<const std::string&>();
  const auto told_apart = pattern.matches(text, Case::told_apart);
  const auto ignored = pattern.matches(text, Case::ignored);
  if (!told_apart || !ignored) return Met::unsure;
  return *told_apart ? Met::yes : *ignored ? Met::unsure : Met::no;
}

// A size between bounds; `unsure` of a value that has no such size.
Met size_met(const std::optional<uint64_t>& least, const std::optional<uint64_t>& most, bool has_size, uint64_t size) {
  if (!least && !most) return Met::yes;
  if (!has_size) return Met::unsure;
  return yes_if((!least || size >= *least) && (!most || size <= *most));
}

Met object_met(const ArgumentValue& wanted, const Json& value, const UrlAllowed& url_allowed) {
  if (wanted.properties.empty() && wanted.required.empty() && !wanted.closed) return Met::yes;
  if (!value.is_object()) return Met::unsure;
  Met met = Met::yes;
  for (const auto& name : wanted.required) {
    if (value.contains(name)) continue;
    const bool other_case = std::any_of(value.items().begin(), value.items().end(),
                                        [&](const auto& member) { return fold_case(member.key()) == fold_case(name); });
    met = stricter_of(met, other_case ? Met::unsure : Met::no);
  }
  for (const auto& member : value.items()) {
    bool named = false;
    for (const auto& property : wanted.properties) {
      if (property.name == member.key()) {
        named = true;
        met = stricter_of(met, value_met(property.value, member.value(), url_allowed));
      } else if (fold_case(property.name) == fold_case(member.key())) {
        met = stricter_of(met, Met::unsure);
      }
    }
    if (!named && wanted.closed) met = Met::no;
  }
  return met;
}

std::string words_of(const ArgumentScalar& scalar) {
  if (std::holds_alternative<std::nullptr_t>(scalar)) return "null";
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&scalar)) return std::to_string(*number);
  return Json(std::get<std::string>(scalar)).dump();
}

std::string list_words(const auto& list, auto words) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : " or ") + words(item);
  return text.empty() ? "nothing" : text;
}

std::string range_words(const std::optional<uint64_t>& least, const std::optional<uint64_t>& most,
                        std::string_view what) {
  if (least && most) return fmt::format("{} to {} {}", *least, *most, what);
  return least ? fmt::format("at least {} {}", *least, what) : fmt::format("at most {} {}", *most, what);
}

}  // namespace

Met value_met(const ArgumentValue& wanted, const Json& value, const UrlAllowed& url_allowed) {
  const auto one = [&](const auto& list, auto meets_one) {
    return any_of(list, [&](const auto& item) { return meets_one(item, value); });
  };
  const bool is_text = value.is_string();
  Met met = Met::yes;
  const auto need = [&met](Met part) { met = stricter_of(met, part); };
  if (wanted.type) need(type_of(*wanted.type, value));
  if (wanted.one_of) need(one(*wanted.one_of, equals));
  if (wanted.globs) need(one(*wanted.globs, glob_met));
  if (wanted.patterns) need(one(*wanted.patterns, pattern_met));
  if (wanted.paths) need(one(*wanted.paths, path_met));
  if (wanted.least) need(is_number(value) ? yes_if(value >= Json(*wanted.least)) : Met::unsure);
  if (wanted.most) need(is_number(value) ? yes_if(value <= Json(*wanted.most)) : Met::unsure);
  need(size_met(wanted.least_characters, wanted.most_characters, is_text,
                is_text ? characters_in(value.get_ref<const std::string&>()) : 0));
  if (wanted.url) need(is_text ? yes_if(url_allowed(value.get_ref<const std::string&>())) : Met::unsure);
  need(size_met(wanted.least_items, wanted.most_items, value.is_array(), value.size()));
  for (const auto& item_wanted : wanted.items) {
    if (!value.is_array())
      need(Met::unsure);
    else
      for (const auto& item : value) need(value_met(item_wanted, item, url_allowed));
  }
  need(object_met(wanted, value, url_allowed));
  if (!wanted.any_of.empty()) {
    need(any_of(wanted.any_of, [&](const ArgumentValue& way) { return value_met(way, value, url_allowed); }));
  }
  return met;
}

std::string ArgumentValue::to_string() const {
  std::vector<std::string> words;
  const auto itself = [](const std::string& text) { return text; };
  if (type) words.push_back(fmt::format("a {}", kArgumentTypeNames[static_cast<size_t>(*type)]));
  if (one_of) words.push_back(list_words(*one_of, [](const auto& scalar) { return words_of(scalar); }));
  if (globs) words.push_back("like " + list_words(*globs, itself));
  if (patterns) words.push_back("matching " + list_words(*patterns, [](const TextPattern& one) { return one.text(); }));
  if (paths) words.push_back("in " + list_words(*paths, [](const PathGlob& glob) { return glob.text(); }));
  if (least) words.push_back(fmt::format("at least {}", *least));
  if (most) words.push_back(fmt::format("at most {}", *most));
  if (least_characters || most_characters)
    words.push_back(range_words(least_characters, most_characters, "characters"));
  if (url) words.push_back("a URL that the http rules allow");
  if (least_items || most_items) words.push_back(range_words(least_items, most_items, "items"));
  for (const auto& item : items) words.push_back(fmt::format("each item {}", item.to_string()));
  for (const auto& property : properties)
    words.push_back(fmt::format("{} {}", property.name, property.value.to_string()));
  if (!required.empty()) words.push_back(fmt::format("with {}", fmt::join(required, " and ")));
  if (closed) words.push_back("nothing else");
  if (!any_of.empty())
    words.push_back("(" + list_words(any_of, [](const ArgumentValue& way) { return way.to_string(); }) + ")");
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace gatehouse::policy
