// What a response of a language model says: one JSON document, a list of them (Gemini's stream), or one for each
// server-sent event. Passive.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/telemetry/content_hash.h"
#include "proxy/telemetry/event_stream_reader.h"
#include "proxy/telemetry/field_table.h"
#include "proxy/telemetry/json_reader.h"
#include "proxy/telemetry/model_api.h"
#include "proxy/telemetry/price_table.h"

namespace gatehouse::proxy {

// A tool that the model wants run.
struct ToolRequest {
  std::string id;
  std::string name;
  std::string kind;  // in the provider's word; empty where it has none
  uint64_t bytes = 0;
  std::string hash;
  std::optional<std::string> arguments;  // as text, if they were kept
};

struct KeptText {
  std::string text;
  bool fits = true;  // else nothing of it is there
};

inline constexpr size_t kMaxArgumentsKept = 256 << 10;  // of all tools of one response

class ResponseFacts final : private JsonListener, private EventStreamListener {
 public:
  enum class Form { document, events };

  // `key` outlives it. Arguments of tools are kept, those alone that still fit into kMaxArgumentsKept, if that is
  // wanted.
  ResponseFacts(ModelApi api, Form form, const ContentHashKey& key, bool keep_arguments = false);

  void feed(std::string_view bytes);
  void finish();

  // There was something of a shape that is known.
  bool recognised() const { return recognised_ || !error_.empty(); }
  // Some of it was no JSON, or came short.
  bool broken() const { return broken_; }
  // Something of what the model says has come.
  bool output_begun() const { return output_begun_; }

  const std::string& model() const { return model_; }
  const std::string& stop_reason() const { return stop_reason_; }
  const std::string& error() const { return error_; }  // "overloaded_error"; empty when none is told
  // Normalised, see TokenCounts.
  TokenCounts tokens() const;
  // In the order they began, at most kMaxToolsTold; once, after finish().
  std::vector<ToolRequest> take_tools();
  size_t tool_count() const { return tool_count_; }

 private:
  enum class Field : int;
  static std::span<const WantedField<Field>> table(ModelApi api);
  struct Tool {
    ShortText id, name, kind;
    std::optional<ContentHash> arguments;
    KeptText kept;
  };

  Interest begin(std::string_view path, JsonKind kind) override;
  void bytes(int field, std::string_view piece) override;
  void end(int field) override;
  void on_data(std::string_view piece) override;
  void on_event_end() override;

  void end_document();
  void take_number(Field field);
  Tool* tool();
  void end_item();
  void keep(Tool& tool, std::string_view piece);
  bool is_tool(const Tool& tool) const;

  const ModelApi api_;
  const Form form_;
  const ContentHashKey& key_;
  const bool keep_arguments_;
  size_t room_ = kMaxArgumentsKept;
  std::span<const WantedField<Field>> table_;
  JsonReader json_;
  EventStreamReader events_;
  ShortText text_;
  bool fresh_ = false;  // nothing of the value under way has come
  bool recognised_ = false;
  bool broken_ = false;
  bool output_begun_ = false;
  std::string model_, stop_reason_, error_;
  std::string event_type_;   // of the event under way
  std::string event_start_;  // its first bytes
  TokenCounts raw_;          // as the provider counts
  std::optional<int64_t> tool_use_input_;
  bool fine_print_ = false;  // something of it has a price of its own

  std::map<int64_t, Tool> tools_;  // by place: choice and index where they come in pieces, else in turn
  std::optional<Tool> item_;       // one that comes whole
  std::vector<Tool> items_;        // of the document under way
  std::optional<int64_t> place_;   // of the tool that the pieces under way belong to
  int64_t choice_ = 0;
  int64_t position_ = 0;  // in the list under way
  size_t tool_count_ = 0;
};

}  // namespace gatehouse::proxy
