#include "dlp/decode/header_field.h"

#include <algorithm>

namespace gatehouse::dlp {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return result;
}

// Takes a quoted string's content off `rest`, which begins behind the quote; an end is not insisted on.
std::string take_quoted(std::string_view& rest) {
  std::string value;
  size_t at = 0;
  while (at < rest.size() && rest[at] != '"') {
    if (rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\')) ++at;
    value += rest[at++];
  }
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return value;
}

}  // namespace

std::string field_type(std::string_view value) { return lower(trimmed(value.substr(0, value.find(';')))); }

std::vector<Parameter> field_parameters(std::string_view value) {
  std::vector<Parameter> parameters;
  std::string_view rest = value;
  for (;;) {
    const size_t semicolon = rest.find(';');
    if (semicolon == std::string_view::npos) return parameters;
    rest.remove_prefix(semicolon + 1);
    const size_t equals = rest.find_first_of("=;");
    if (equals == std::string_view::npos) return parameters;
    if (rest[equals] == ';') continue;
    Parameter parameter{lower(trimmed(rest.substr(0, equals))), {}};
    rest.remove_prefix(equals + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      parameter.value = take_quoted(rest);
    } else {
      parameter.value = trimmed(rest.substr(0, rest.find(';')));
    }
    parameters.push_back(std::move(parameter));
  }
}

void each_field(std::string_view block,
                const std::function<void(std::string_view name, std::string_view value)>& on_field) {
  while (!block.empty()) {
    size_t end = block.find('\n');
    while (end != std::string_view::npos && end + 1 < block.size() &&
           (block[end + 1] == ' ' || block[end + 1] == '\t')) {
      end = block.find('\n', end + 1);
    }
    const auto line = block.substr(0, end);
    if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      on_field(lower(trimmed(line.substr(0, colon))), trimmed(line.substr(colon + 1)));
    }
    block.remove_prefix(end == std::string_view::npos ? block.size() : end + 1);
  }
}

}  // namespace gatehouse::dlp
