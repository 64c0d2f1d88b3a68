// The pieces every part of a policy file is read with: each gives what it was asked for, or the error with its place.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/json_tree.h"
#include "common/policy/layer.h"
#include "common/policy/source_text.h"

namespace gatehouse::policy {

inline constexpr size_t kMaxIdBytes = 64;

// 1 to kMaxIdBytes letters, digits, '-' and '_'.
bool is_id(std::string_view text);

class FieldReader {
 public:
  explicit FieldReader(std::shared_ptr<const SourceText> source) : source_(std::move(source)) {}

  const SourceText& source() const { return *source_; }
  Place place_at(size_t offset) const { return {source_, offset}; }
  Place place_of(const JsonNode& node) const { return place_at(node.offset); }
  tl::unexpected<Error> refuse(size_t offset, std::string_view message) const {
    return tl::unexpected(source_->error_at(offset, message));
  }
  // Without the source line: where a value may stand that belongs into no log.
  tl::unexpected<Error> refuse_unshown(size_t offset, std::string_view message) const {
    const std::string all = source_->error_at(offset, message).message();
    return tl::unexpected(Error(all.substr(0, all.find('\n'))));
  }

  // `wanted` as in "must be a list of strings".
  Result<void> expect_kind(const JsonNode& node, JsonNode::Kind kind, std::string_view key,
                           std::string_view wanted) const;
  Result<void> expect_object_item(const JsonNode& node, std::string_view list) const {
    return expect_kind(node, JsonNode::Kind::object, list, "a list of objects");
  }

  // Refuses the first key of `object` that is none of `keys`.
  Result<void> check_keys(const JsonNode& object, std::span<const std::string_view> keys) const;

  Result<const JsonNode*> required(const JsonNode& object, std::string_view key) const;
  Result<std::string> text_of(const JsonNode& node, std::string_view key) const;
  Result<std::string> required_text(const JsonNode& object, std::string_view key) const;

  // One of `words`.
  Result<std::string> word_of(const JsonNode& node, std::string_view key,
                              std::span<const std::string_view> words) const;
  Result<Verdict> action_of(const JsonNode& object, std::string_view key) const;

  Result<std::string> id_of(const JsonNode& rule) const;      // its "id"
  Result<std::string> reason_of(const JsonNode& rule) const;  // its "reason", or ""
  // The list of hosts under `key`, which is required.
  Result<std::vector<HostTerm>> hosts_of(const JsonNode& rule, std::string_view key,
                                         HostPattern::Suffixes whole = HostPattern::Suffixes::refused) const;

  // A list, each item read by `read`.
  template <class T, class Read>
  Result<std::vector<T>> list_of_items(const JsonNode& node, std::string_view key, std::string_view wanted,
                                       Read read) const {
    if (auto ok = expect_kind(node, JsonNode::Kind::array, key, wanted); !ok) return failed(ok);
    std::vector<T> list;
    for (const auto& item : node.items) {
      auto value = read(item);
      if (!value) return failed(value);
      list.push_back(std::move(*value));
    }
    return list;
  }

  // A list of strings, each turned into a T by `parse`, whose errors need no place of their own.
  template <class T, class Parse>
  Result<std::vector<T>> parsed_strings(const JsonNode& node, std::string_view key, Parse parse) const {
    return list_of_items<T>(node, key, "a list of strings", [&](const JsonNode& item) -> Result<T> {
      if (item.kind != JsonNode::Kind::string) {
        return refuse(item.offset, fmt::format("'{}' must be a list of strings, not of {}", key, kind_name(item.kind)));
      }
      Result<T> value = parse(item.text);
      if (!value) return refuse(item.offset, value.error().message());
      return value;
    });
  }

 private:
  std::shared_ptr<const SourceText> source_;
};

}  // namespace gatehouse::policy
