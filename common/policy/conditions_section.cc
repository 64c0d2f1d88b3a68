// "query" and "headers" of an http rule: an object of names, each with what is wanted of it.
#include <algorithm>

#include "common/base/log.h"
#include "common/policy/http_words.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxNameBytesOfField = 256;
constexpr size_t kMaxConditions = 64;

// Fields that say where and how a message goes, not what it is: they are made anew for the upstream.
constexpr std::string_view kNotForwarded[] = {"connection",      "keep-alive",        "te",     "trailer",
                                              "upgrade",         "transfer-encoding", "expect", "proxy-authorization",
                                              "proxy-connection"};

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<void> check_parameter_name(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameBytesOfField || !is_printable(name)) {
    return fail("a parameter's name is 1 to {} printable ASCII characters, as it is once decoded",
                kMaxNameBytesOfField);
  }
  return {};
}

Result<void> check_field_name(const std::string& name) {
  if (name.size() > kMaxNameBytesOfField || !is_token(name)) {
    return fail("'{}' is no name of a header field", log::printable(name, 64));
  }
  const std::string loose = loose_field_name(name);
  if (loose == "host") return fail("'Host' is what \"hosts\" speaks of");
  if (loose == "content-length") return fail("'Content-Length' is what \"request_body\" speaks of");
  if (std::find(std::begin(kNotForwarded), std::end(kNotForwarded), loose) != std::end(kNotForwarded)) {
    return fail("'{}' is never forwarded as sent", name);
  }
  return {};
}

Result<void> read_wanted(const FieldReader& reader, const JsonNode& node, std::string_view key,
                         FieldCondition& condition) {
  if (node.kind == Kind::boolean) {
    condition.wants = node.boolean ? FieldCondition::Wants::present : FieldCondition::Wants::absent;
    return {};
  }
  condition.wants = FieldCondition::Wants::values;
  const auto take = [&](const JsonNode& value) -> Result<void> {
    if (value.kind != Kind::string) {
      return reader.refuse(value.offset, fmt::format("'{}' of \"{}\" must be true (it is there), false (it is not), a "
                                                     "text or a list of texts, not {}",
                                                     log::printable(condition.name, 64), key, kind_name(value.kind)));
    }
    if (!is_printable(value.text)) {
      return reader.refuse(value.offset, "a value must be printable ASCII; write * for other characters");
    }
    condition.values.push_back(value.text);
    return {};
  };
  if (node.kind != Kind::array) return take(node);
  for (const auto& item : node.items) {
    if (auto ok = take(item); !ok) return ok;
  }
  return {};
}

Result<FieldConditions> read_conditions(const FieldReader& reader, const JsonNode& node, std::string_view key,
                                        Result<void> (*check)(const std::string&),
                                        std::string (*loose)(std::string_view)) {
  if (auto ok = reader.expect_kind(node, Kind::object, key, "an object of names"); !ok) return failed(ok);
  FieldConditions conditions;
  for (const auto& member : node.members) {
    if (auto ok = check(member.key); !ok) return reader.refuse(member.offset, ok.error().message());
    for (const auto& other : conditions) {
      if (loose(other.name) != loose(member.key)) continue;
      return reader.refuse(member.offset,
                           fmt::format("'{}' and '{}' are the same to some servers", other.name, member.key));
    }
    if (conditions.size() == kMaxConditions) {
      return reader.refuse(member.offset, fmt::format("\"{}\" has more than {} names", key, kMaxConditions));
    }
    FieldCondition condition;
    condition.name = member.key;
    if (auto ok = read_wanted(reader, member.value, key, condition); !ok) return failed(ok);
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

}  // namespace

Result<FieldConditions> read_query_conditions(const FieldReader& reader, const JsonNode& node) {
  return read_conditions(reader, node, "query", check_parameter_name, loose_parameter_name);
}

Result<FieldConditions> read_header_conditions(const FieldReader& reader, const JsonNode& node) {
  return read_conditions(reader, node, "headers", check_field_name, loose_field_name);
}

Result<std::vector<std::pair<std::string, std::string>>> read_test_headers(const FieldReader& reader,
                                                                           const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, Kind::object, "headers", "an object of names"); !ok) return failed(ok);
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& member : node.members) {
    if (!is_token(member.key)) {
      return reader.refuse(member.offset,
                           fmt::format("'{}' is no name of a header field", log::printable(member.key, 64)));
    }
    const auto take = [&](const JsonNode& value) -> Result<void> {
      if (auto ok = reader.expect_kind(value, Kind::string, member.key, "a text or a list of texts"); !ok) return ok;
      fields.emplace_back(member.key, value.text);
      return {};
    };
    if (member.value.kind != Kind::array) {
      if (auto ok = take(member.value); !ok) return failed(ok);
    }
    for (const auto& item : member.value.items) {
      if (auto ok = take(item); !ok) return failed(ok);
    }
  }
  return fields;
}

}  // namespace gatehouse::policy
