#include "mcp-gateway/header_parameters.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kMark = "x-mcp-header";
constexpr std::string_view kEncoded = "=?base64?";
constexpr std::string_view kEncodedEnd = "?=";
constexpr size_t kMaxHeaderBytes = 128;
constexpr int kMaxSchemaDepth = 64;
constexpr int64_t kLargestInteger = (int64_t{1} << 53) - 1;  // that every reader of a number takes alike

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

class Search {
 public:
  Result<std::vector<MirroredParameter>> run(const Value& schema) {
    properties(schema, 0);
    if (marks(schema, 0) != found_.size()) fault_ = "an argument that not every call has is to be a header";
    if (!fault_.empty()) return fail("{}", fault_);
    return std::move(found_);
  }

 private:
  // Those that are reached by "properties" alone.
  void properties(const Value& schema, int depth) {
    const Value* all = find(schema, "properties");
    if (all == nullptr || !all->is_object() || depth >= kMaxSchemaDepth) return;
    for (const auto& [name, property] : all->items()) {
      path_.push_back(name);
      if (const Value* mark = find(property, kMark)) take(property, *mark);
      properties(property, depth + 1);
      path_.pop_back();
    }
  }

  void take(const Value& property, const Value& mark) {
    const auto* name = mark.get_ptr<const std::string*>();
    const std::string* type = find_text(property, "type");
    if (name == nullptr || !is_token(*name) || name->size() > kMaxHeaderBytes) {
      fault_ = "the name of an argument's header is none";
    } else if (!names_.insert(lower(*name)).second) {
      fault_ = "two arguments have one header";
    } else if (type == nullptr || (*type != "string" && *type != "integer" && *type != "boolean")) {
      fault_ = "an argument of no simple type is to be a header";
    }
    found_.push_back({name == nullptr ? "" : *name, path_});
  }

  // All there are, wherever they stand; a property may itself be called so.
  size_t marks(const Value& schema, int depth) {
    if (depth > 2 * kMaxSchemaDepth) return 0;
    size_t count = 0;
    if (schema.is_array()) {
      for (const auto& item : schema) count += marks(item, depth + 1);
    } else if (schema.is_object()) {
      for (const auto& [name, member] : schema.items()) {
        if (name == kMark) {
          ++count;
        } else if ((name == "properties" || name == "$defs" || name == "definitions" || name == "patternProperties") &&
                   member.is_object()) {
          for (const auto& one : member) count += marks(one, depth + 1);
        } else if (name != "const" && name != "enum" && name != "default" && name != "examples") {
          count += marks(member, depth + 1);
        }
      }
    }
    return count;
  }

  std::vector<std::string> path_;
  std::vector<MirroredParameter> found_;
  std::set<std::string> names_;
  std::string fault_;
};

std::optional<std::string> text_of(const Value& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return *text;
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kLargestInteger)) return std::nullopt;
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const bool exact =
        number <= static_cast<double>(kLargestInteger) && number >= -static_cast<double>(kLargestInteger);
    if (exact && number == static_cast<double>(static_cast<int64_t>(number))) {
      return std::to_string(static_cast<int64_t>(number));
    }
  }
  return std::nullopt;
}

bool fits_in_a_field(std::string_view text) {
  const auto edge = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (edge(text.front()) || edge(text.back()))) return false;
  if (text.starts_with(kEncoded) && text.ends_with(kEncodedEnd)) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\t'; });
}

}  // namespace

Result<std::vector<MirroredParameter>> mirrored_parameters(const Value& schema) { return Search().run(schema); }

std::vector<std::pair<std::string, std::string>> parameter_values(const Value& schema, const Value& arguments) {
  std::vector<std::pair<std::string, std::string>> values;
  const auto mirrored = mirrored_parameters(schema);
  if (!mirrored) return values;
  for (const auto& parameter : *mirrored) {
    const Value* at = &arguments;
    for (const auto& step : parameter.path) {
      if (at != nullptr) at = find(*at, step);
    }
    if (at == nullptr) continue;
    if (auto text = text_of(*at)) values.emplace_back(parameter.header, std::move(*text));
  }
  return values;
}

std::string field_value(std::string_view text) {
  if (fits_in_a_field(text)) return std::string(text);
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<size_t>(size));
  return fmt::format("{}{}{}", kEncoded, encoded, kEncodedEnd);
}

std::optional<std::string> text_of_field(std::string_view value) {
  const bool encoded = value.size() >= kEncoded.size() + kEncodedEnd.size() && value.starts_with(kEncoded) &&
                       value.ends_with(kEncodedEnd);
  if (!encoded) return std::string(value);
  value.remove_prefix(kEncoded.size());
  value.remove_suffix(kEncodedEnd.size());
  const auto is_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  size_t padding = 0;
  while (padding < value.size() && padding < 3 && value[value.size() - 1 - padding] == '=') ++padding;
  if (value.size() % 4 != 0 || padding > 2 ||
      !std::all_of(value.begin(), value.end() - static_cast<std::ptrdiff_t>(padding), is_digit)) {
    return std::nullopt;
  }
  std::string text(value.size() / 4 * 3 + 1, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(value.data()), static_cast<int>(value.size()));
  if (size < 0) return std::nullopt;
  text.resize(static_cast<size_t>(size) - padding);
  return text;
}

}  // namespace gatehouse::mcp
