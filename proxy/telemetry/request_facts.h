// What a request to a language model says of itself. Passive.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/telemetry/content_hash.h"
#include "proxy/telemetry/field_table.h"
#include "proxy/telemetry/json_reader.h"
#include "proxy/telemetry/model_api.h"
#include "proxy/telemetry/tool_ledger.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxToolsTold = 64;  // of one request or response; the rest is counted

// An answer to a tool call that the request brings.
struct ToolAnswer {
  std::string id;    // empty where the format has none
  std::string name;  // where the request names the tool
  bool failed = false;
  uint64_t bytes = 0;
  std::string hash;
};

class RequestFacts final : private JsonListener {
 public:
  // All outlive it. `ledger` says which answers are old: a conversation is sent again whole with each turn.
  RequestFacts(ModelApi api, const std::string& host, const ContentHashKey& key, const ToolLedger& ledger);

  void feed(std::string_view bytes) { json_.feed(bytes); }
  // The body is over; whether it was a request of this kind.
  bool finish();

  const std::string& model() const { return model_; }
  const std::vector<ToolAnswer>& answers() const { return answers_; }  // the new ones, in order
  size_t more_answers() const { return more_answers_; }                // that there is no room for

 private:
  enum class Field : int;
  static std::span<const WantedField<Field>> table(ModelApi api);

  Interest begin(std::string_view path, JsonKind kind) override;
  void bytes(int field, std::string_view piece) override;
  void end(int field) override;
  void begin_item();
  void end_item();
  bool kind_answers() const;
  bool is_old() const;

  const ModelApi api_;
  const std::string& host_;
  const ContentHashKey& key_;
  const ToolLedger& ledger_;
  std::span<const WantedField<Field>> table_;
  JsonReader json_;
  ShortText text_;
  std::string model_;
  bool has_turns_ = false;
  bool has_limit_ = false;
  std::vector<ToolAnswer> answers_;
  size_t more_answers_ = 0;

  // The item under way that may be an answer.
  ShortText item_kind_, item_id_, item_name_;
  bool item_failed_ = false;
  std::optional<ContentHash> content_;
};

}  // namespace gatehouse::proxy
