#include "common/audit/tables.h"

#include <fmt/core.h>

#include <concepts>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <type_traits>

#include "common/audit/text.h"
#include "common/base/uuid.h"

namespace gatehouse::audit {

namespace {

Value to_value(const std::string& text) { return storable_text(text); }

template <std::integral N>
Value to_value(const std::optional<N>& number) {
  return number ? Value(int64_t{*number}) : Value();
}

Value to_value(bool flag) { return int64_t{flag}; }

Value to_value(std::integral auto number) {
  if (std::cmp_greater(number, std::numeric_limits<int64_t>::max())) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(number);
}

// A JSON array of strings; arguments beyond the limit are left out and counted in a last element.
Value to_value(const std::vector<std::string>& list) {
  nlohmann::json array = nlohmann::json::array();
  size_t bytes = 0;
  for (const auto& item : list) {
    bytes += item.size();
    if (bytes > kMaxTextBytes) {
      array.push_back(fmt::format("... ({} more)", list.size() - array.size()));
      break;
    }
    array.push_back(storable_text(item));
  }
  return array.dump();
}

template <class E>
struct Field {
  Column column;
  std::function<Value(const E&)> value;
};

template <class E>
struct Description {
  Table table;
  std::vector<Field<E>> fields;
};

template <class M>
constexpr bool is_optional = std::is_same_v<M, std::optional<int>> || std::is_same_v<M, std::optional<int64_t>>;

template <class M>
constexpr ColumnType column_type() {
  if (std::is_same_v<M, std::string>) return ColumnType::text;
  return std::is_same_v<M, std::vector<std::string>> ? ColumnType::json : ColumnType::integer;
}

template <class E, class M>
Field<E> field(std::string_view name, M E::*member) {
  return {{name, column_type<M>(), is_optional<M>}, [member](const E& event) { return to_value(event.*member); }};
}

// A text of several lines as a list of them.
template <class E>
Field<E> lines(std::string_view name, std::string E::*member) {
  return {{name, ColumnType::json}, [member](const E& event) {
            std::vector<std::string> list;
            std::istringstream text(event.*member);
            for (std::string line; std::getline(text, line);) list.push_back(line);
            return to_value(list);
          }};
}

// The three columns of every row that judges, in front of what was judged.
template <class E>
std::vector<Field<E>> judged(std::vector<Field<E>> fields) {
  const auto decision = [](std::string_view name, auto part) {
    return Field<E>{{name, ColumnType::text}, [part](const E& event) { return to_value(part(event.decision)); }};
  };
  std::vector<Field<E>> all = {
      decision("verdict", [](const Decision& d) { return std::string(to_string(d.verdict)); }),
      decision("rule_id", [](const Decision& d) { return d.rule_id; }),
      decision("reason", [](const Decision& d) { return d.reason; }),
  };
  all.insert(all.end(), fields.begin(), fields.end());
  return all;
}

template <class E>
Description<E> describe(std::string_view name, std::vector<Field<E>> fields) {
  Description<E> description{{name,
                              {{"position", ColumnType::integer},
                               {"event_id", ColumnType::text},
                               {"time_us", ColumnType::integer},
                               {"session", ColumnType::text},
                               {"writer", ColumnType::text},
                               {"seq", ColumnType::integer},
                               {"trace_id", ColumnType::text}}},
                             std::move(fields)};
  for (const auto& field : description.fields) description.table.columns.push_back(field.column);
  return description;
}

const Description<NetEvent>& description(const NetEvent&) {
  static const auto table = describe<NetEvent>("net_events", judged<NetEvent>({
                                                                 field("channel", &NetEvent::channel),
                                                                 field("host", &NetEvent::host),
                                                                 field("address", &NetEvent::address),
                                                                 field("port", &NetEvent::port),
                                                                 field("sni", &NetEvent::sni),
                                                                 field("method", &NetEvent::method),
                                                                 field("path", &NetEvent::path),
                                                                 field("detail", &NetEvent::detail),
                                                             }));
  return table;
}

const Description<NetResult>& description(const NetResult&) {
  static const auto table =
      describe<NetResult>("net_results", {
                                             field("status", &NetResult::status),
                                             field("upstream_address", &NetResult::upstream_address),
                                             field("bytes_out", &NetResult::bytes_out),
                                             field("bytes_in", &NetResult::bytes_in),
                                             field("duration_us", &NetResult::duration_us),
                                             field("error", &NetResult::error),
                                         });
  return table;
}

const Description<DnsEvent>& description(const DnsEvent&) {
  static const auto table = describe<DnsEvent>("dns_events", judged<DnsEvent>({
                                                                 field("name", &DnsEvent::name),
                                                                 field("type", &DnsEvent::type),
                                                                 field("rcode", &DnsEvent::rcode),
                                                                 field("address", &DnsEvent::address),
                                                             }));
  return table;
}

const Description<ExecEvent>& description(const ExecEvent&) {
  static const auto table = describe<ExecEvent>("exec_events", {
                                                                   field("argv", &ExecEvent::argv),
                                                                   field("phase", &ExecEvent::phase),
                                                                   field("exit_code", &ExecEvent::exit_code),
                                                               });
  return table;
}

const Description<PolicyEvent>& description(const PolicyEvent&) {
  static const auto table = describe<PolicyEvent>("policy_events", {
                                                                       field("phase", &PolicyEvent::phase),
                                                                       lines("files", &PolicyEvent::files),
                                                                       field("sha256", &PolicyEvent::sha256),
                                                                       field("detail", &PolicyEvent::detail),
                                                                   });
  return table;
}

const Description<ProcessEvent>& description(const ProcessEvent&) {
  static const auto table = describe<ProcessEvent>("process_events", {
                                                                         field("process", &ProcessEvent::process),
                                                                         field("pid", &ProcessEvent::pid),
                                                                         field("phase", &ProcessEvent::phase),
                                                                         field("detail", &ProcessEvent::detail),
                                                                     });
  return table;
}

const Description<DlpFinding>& description(const DlpFinding&) {
  static const auto table = describe<DlpFinding>("dlp_findings", judged<DlpFinding>({
                                                                     field("channel", &DlpFinding::channel),
                                                                     field("direction", &DlpFinding::direction),
                                                                     field("host", &DlpFinding::host),
                                                                     field("rule", &DlpFinding::rule),
                                                                     field("category", &DlpFinding::category),
                                                                     field("action", &DlpFinding::action),
                                                                     field("confidence", &DlpFinding::confidence),
                                                                     field("location", &DlpFinding::location),
                                                                     field("decode_path", &DlpFinding::decode_path),
                                                                     field("offset", &DlpFinding::offset),
                                                                     field("length", &DlpFinding::length),
                                                                     field("prefix", &DlpFinding::prefix),
                                                                     field("fingerprint", &DlpFinding::fingerprint),
                                                                     field("exemption", &DlpFinding::exemption),
                                                                     field("detail", &DlpFinding::detail),
                                                                 }));
  return table;
}

const Description<ModelCall>& description(const ModelCall&) {
  static const auto table =
      describe<ModelCall>("model_calls", {
                                             field("provider", &ModelCall::provider),
                                             field("api", &ModelCall::api),
                                             field("host", &ModelCall::host),
                                             field("model", &ModelCall::model),
                                             field("streamed", &ModelCall::streamed),
                                             field("status", &ModelCall::status),
                                             field("input_tokens", &ModelCall::input_tokens),
                                             field("output_tokens", &ModelCall::output_tokens),
                                             field("cached_tokens", &ModelCall::cached_tokens),
                                             field("cache_write_tokens", &ModelCall::cache_write_tokens),
                                             field("reasoning_tokens", &ModelCall::reasoning_tokens),
                                             field("cost_microdollars", &ModelCall::cost_microdollars),
                                             field("priced_on", &ModelCall::priced_on),
                                             field("stop_reason", &ModelCall::stop_reason),
                                             field("first_token_us", &ModelCall::first_token_us),
                                             field("latency_us", &ModelCall::latency_us),
                                             field("tool_calls", &ModelCall::tool_calls),
                                             field("tool_responses", &ModelCall::tool_responses),
                                             field("detail", &ModelCall::detail),
                                         });
  return table;
}

const Description<ToolCall>& description(const ToolCall&) {
  static const auto table = describe<ToolCall>("tool_calls", {
                                                                 field("call_id", &ToolCall::call_id),
                                                                 field("name", &ToolCall::name),
                                                                 field("kind", &ToolCall::kind),
                                                                 field("arguments_bytes", &ToolCall::arguments_bytes),
                                                                 field("arguments_hash", &ToolCall::arguments_hash),
                                                                 field("call_hash", &ToolCall::call_hash),
                                                             });
  return table;
}

const Description<ToolResponse>& description(const ToolResponse&) {
  static const auto table =
      describe<ToolResponse>("tool_responses", {
                                                   field("call_id", &ToolResponse::call_id),
                                                   field("name", &ToolResponse::name),
                                                   field("call_trace_id", &ToolResponse::call_trace_id),
                                                   field("failed", &ToolResponse::failed),
                                                   field("content_bytes", &ToolResponse::content_bytes),
                                                   field("content_hash", &ToolResponse::content_hash),
                                               });
  return table;
}

const Description<Approval>& description(const Approval&) {
  static const auto table = describe<Approval>("approvals", judged<Approval>({
                                                                field("channel", &Approval::channel),
                                                                field("what", &Approval::what),
                                                                field("by", &Approval::by),
                                                                field("scope", &Approval::scope),
                                                            }));
  return table;
}

const Description<GitEvent>& description(const GitEvent&) {
  static const auto table = describe<GitEvent>("git_events", judged<GitEvent>({
                                                                 field("remote", &GitEvent::remote),
                                                                 field("ref", &GitEvent::ref),
                                                                 field("old_id", &GitEvent::old_id),
                                                                 field("new_id", &GitEvent::new_id),
                                                                 field("kind", &GitEvent::kind),
                                                                 field("objects", &GitEvent::objects),
                                                                 field("bytes", &GitEvent::bytes),
                                                                 field("findings", &GitEvent::findings),
                                                             }));
  return table;
}

const Description<McpCall>& description(const McpCall&) {
  static const auto table = describe<McpCall>("mcp_calls", judged<McpCall>({
                                                               field("method", &McpCall::method),
                                                               field("server", &McpCall::server),
                                                               field("tool", &McpCall::tool),
                                                               field("arguments", &McpCall::arguments),
                                                               field("arguments_bytes", &McpCall::arguments_bytes),
                                                               field("pin", &McpCall::pin),
                                                               field("call_hash", &McpCall::call_hash),
                                                               field("asked_by", &McpCall::asked_by),
                                                           }));
  return table;
}

const Description<McpResult>& description(const McpResult&) {
  static const auto table = describe<McpResult>("mcp_results", {
                                                                   field("outcome", &McpResult::outcome),
                                                                   field("bytes", &McpResult::bytes),
                                                                   field("duration_us", &McpResult::duration_us),
                                                                   field("error", &McpResult::error),
                                                               });
  return table;
}

template <class E>
std::string event_id(const E& event) {
  if constexpr (std::is_same_v<E, NetResult> || std::is_same_v<E, ModelCall> || std::is_same_v<E, McpResult>) {
    return event
        .event_id;  // names the net_events or mcp_calls row it tells more of; an empty one is refused by the table
  } else if constexpr (requires { event.event_id; }) {
    return event.event_id.empty() ? make_uuid() : event.event_id;
  } else {
    return make_uuid();
  }
}

template <class E>
std::string trace_id(const E& event) {
  if constexpr (requires { event.trace_id; }) {
    return event.trace_id;
  } else {
    return {};
  }
}

std::string column_list(const Table& table) {
  std::string list;
  for (const auto& column : table.columns) list += fmt::format("{}, ", column.name);
  return list + "hash";
}

}  // namespace

const std::vector<const Table*>& tables() {
  static const std::vector<const Table*> all = {
      &description(NetEvent{}).table,     &description(NetResult{}).table,   &description(DnsEvent{}).table,
      &description(ExecEvent{}).table,    &description(PolicyEvent{}).table, &description(ProcessEvent{}).table,
      &description(DlpFinding{}).table,   &description(ModelCall{}).table,   &description(ToolCall{}).table,
      &description(ToolResponse{}).table, &description(Approval{}).table,    &description(GitEvent{}).table,
      &description(McpCall{}).table,      &description(McpResult{}).table,
  };
  return all;
}

Row to_row(const Event& event, int64_t time_us) {
  return std::visit(
      [&](const auto& e) {
        const auto& from = description(e);
        Row row{&from.table, std::vector<Value>(kChainColumnCount)};
        row.values.reserve(from.table.columns.size());
        row.values[kEventId] = to_value(event_id(e));
        row.values[kTimeUs] = time_us;
        row.values[kTraceId] = to_value(trace_id(e));
        for (const auto& field : from.fields) row.values.push_back(field.value(e));
        return row;
      },
      event);
}

template <class T>
static const T* find(const Row& row, std::string_view name) {
  for (size_t i = 0; i < row.table->columns.size(); ++i) {
    if (row.table->columns[i].name == name) return std::get_if<T>(&row.values[i]);
  }
  return nullptr;
}

const std::string* find_text(const Row& row, std::string_view column) { return find<std::string>(row, column); }

const int64_t* find_integer(const Row& row, std::string_view column) { return find<int64_t>(row, column); }

std::string create_table_sql(const Table& table) {
  std::string sql = fmt::format("CREATE TABLE {}(", table.name);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    sql += fmt::format("{} {}", column.name, column.type == ColumnType::integer ? "INTEGER" : "TEXT");
    if (i == kPosition) {
      sql += " PRIMARY KEY";
    } else if (i == kEventId) {
      sql += " NOT NULL UNIQUE CHECK(event_id <> '')";
    } else if (!column.nullable) {
      sql += " NOT NULL";
    }
    sql += ", ";
  }
  return sql + "hash BLOB NOT NULL) STRICT;";
}

std::string insert_sql(const Table& table) {
  std::string marks = "?";
  for (size_t i = 0; i < table.columns.size(); ++i) marks += ", ?";
  return fmt::format("INSERT INTO {}({}) VALUES({})", table.name, column_list(table), marks);
}

std::string select_after_sql(const Table& table) {
  return fmt::format("SELECT {} FROM {} WHERE position > ?1 ORDER BY position", column_list(table), table.name);
}

}  // namespace gatehouse::audit
