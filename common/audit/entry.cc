#include "common/audit/entry.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace gatehouse::audit {

namespace {

std::string text(const Row& row, std::string_view column) {
  const std::string* found = find_text(row, column);
  return found == nullptr ? std::string() : *found;
}

int64_t integer(const Row& row, std::string_view column) {
  const int64_t* found = find_integer(row, column);
  return found == nullptr ? 0 : *found;
}

std::string joined(std::initializer_list<std::string> words) {
  std::string line;
  for (const auto& word : words) {
    if (word.empty()) continue;
    if (!line.empty()) line += ' ';
    line += word;
  }
  return line;
}

std::string net_target(const Row& row) {
  const std::string host = text(row, "host").empty() ? text(row, "address") : text(row, "host");
  const int64_t port = integer(row, "port");
  const std::string target = port == 0 ? host : fmt::format("{}:{}", host, port);
  return joined({text(row, "method"), target + text(row, "path")});
}

std::string net_outcome(const Row& row) {
  const int64_t status = integer(row, "status");
  const std::string upstream = text(row, "upstream_address");
  const std::string error = text(row, "error");
  return joined({status == 0 ? "no status" : fmt::format("status {}", status),
                 upstream.empty() ? "" : "from " + upstream,
                 fmt::format("{} bytes out, {} in, {} ms", integer(row, "bytes_out"), integer(row, "bytes_in"),
                             integer(row, "duration_us") / 1000),
                 error.empty() ? "" : "error: " + error});
}

// The words of a JSON array of strings, those with odd characters in quotes.
std::string words_of_list(const std::string& argv) {
  const auto list = nlohmann::json::parse(argv, nullptr, false);
  if (!list.is_array()) return argv;
  std::string line;
  for (const auto& item : list) {
    if (!line.empty()) line += ' ';
    const std::string word = item.is_string() ? item.get<std::string>() : item.dump();
    const bool plain = !word.empty() && word.find_first_of(" '\"\\$`;&|<>()*?") == std::string::npos;
    line += plain ? word : nlohmann::json(word).dump();
  }
  return line;
}

std::string exec_outcome(const Row& row) {
  const int64_t* code = find_integer(row, "exit_code");
  return joined(
      {text(row, "phase"), code == nullptr ? "" : fmt::format("{}", *code), words_of_list(text(row, "argv"))});
}

std::string policy_news(const Row& row) {
  return joined({text(row, "phase"), words_of_list(text(row, "files")), text(row, "detail")});
}

std::string process_news(const Row& row) {
  return joined(
      {text(row, "process"), fmt::format("(pid {})", integer(row, "pid")), text(row, "phase"), text(row, "detail")});
}

// "api.example.com: github-pat in body via gzip>json>base64 (ghp_...)". What came in is said to be from its host.
std::string finding_target(const Row& row) {
  const std::string host = text(row, "host");
  const std::string direction = text(row, "direction") == "in" ? "from " : "";
  const std::string decode_path = text(row, "decode_path");
  const std::string prefix = text(row, "prefix");
  return joined({host.empty() ? "" : direction + host + ":", text(row, "rule"), "in", text(row, "location"),
                 decode_path.empty() ? "" : "via " + decode_path,
                 prefix.empty() ? "" : fmt::format("({}...)", prefix)});
}

std::string known(const Row& row, std::string_view column, std::string_view unit) {
  const int64_t* number = find_integer(row, column);
  return number == nullptr ? std::string() : fmt::format("{}{}", *number, unit);
}

// "anthropic claude-x status 200: 1200 tokens in (800 cached), 350 out, $0.012345, end_turn, first token 320 ms, 2100
// ms".
std::string model_call(const Row& row) {
  const std::string cached = known(row, "cached_tokens", " cached");
  const std::string first = known(row, "first_token_us", "");
  const int64_t* cost = find_integer(row, "cost_microdollars");
  std::string line =
      joined({text(row, "provider"), text(row, "model"), fmt::format("status {}:", integer(row, "status"))});
  const std::string facts[] = {
      known(row, "input_tokens", " tokens in") + (cached.empty() ? "" : " (" + cached + ")"),
      known(row, "output_tokens", " out"),
      cost == nullptr ? "" : fmt::format("${:.6f}", static_cast<double>(*cost) / 1e6),
      text(row, "stop_reason"),
      first.empty() ? "" : fmt::format("first token {} ms", integer(row, "first_token_us") / 1000),
      fmt::format("{} ms", integer(row, "latency_us") / 1000),
      text(row, "detail"),
  };
  std::string_view between = " ";
  for (const auto& fact : facts) {
    if (fact.empty()) continue;
    line.append(between).append(fact);
    between = ", ";
  }
  return line;
}

std::string tool_call(const Row& row) {
  return joined({"call", text(row, "name"), text(row, "call_id"),
                 fmt::format("({} bytes of arguments)", integer(row, "arguments_bytes"))});
}

std::string tool_response(const Row& row) {
  return joined({integer(row, "failed") != 0 ? "failure of" : "answer to", text(row, "name"), text(row, "call_id"),
                 fmt::format("({} bytes)", integer(row, "content_bytes"))});
}

std::string approval(const Row& row) {
  const std::string by = text(row, "by");
  return joined(
      {text(row, "what"), by.empty() ? "" : "by " + by, text(row, "scope") == "session" ? "for the session" : ""});
}

// "https://host/acme/app update refs/heads/main 12345678..9abcdef0 (17 objects)".
std::string git_update(const Row& row) {
  constexpr size_t kShown = 8;
  const std::string old_id = text(row, "old_id").substr(0, kShown);
  return joined({text(row, "remote"), text(row, "kind"), text(row, "ref"),
                 old_id.empty() ? "" : fmt::format("{}..{}", old_id, text(row, "new_id").substr(0, kShown)),
                 fmt::format("({} objects)", integer(row, "objects"))});
}

// "files read_file {"path":"<text of 12>"} as a model asked".
std::string mcp_call(const Row& row) {
  const std::string method = text(row, "method");
  return joined({method == "tools/call" ? "" : method, text(row, "server"), text(row, "tool"), text(row, "arguments"),
                 text(row, "asked_by").empty() ? "" : "as a model asked"});
}

std::string mcp_outcome(const Row& row) {
  const std::string error = text(row, "error");
  return joined({text(row, "outcome"),
                 fmt::format("{} bytes, {} ms", integer(row, "bytes"), integer(row, "duration_us") / 1000),
                 error.empty() ? "" : "error: " + error});
}

struct Reading {
  std::string_view table;
  std::string_view channel;  // empty: the row's own
  std::string (*what)(const Row&);
};

constexpr Reading kReadings[] = {
    {"net_events", "", net_target},
    {"net_results", "result", net_outcome},
    {"dns_events", "dns",
     [](const Row& row) {
       return joined({text(row, "type"), text(row, "name")});
     }},
    {"exec_events", "exec", exec_outcome},
    {"policy_events", "policy", policy_news},
    {"process_events", "process", process_news},
    {"dlp_findings", "dlp", finding_target},
    {"model_calls", "model", model_call},
    {"tool_calls", "tool", tool_call},
    {"tool_responses", "tool", tool_response},
    {"approvals", "approval", approval},
    {"git_events", "git", git_update},
    {"mcp_calls", "mcp", mcp_call},
    {"mcp_results", "mcp", mcp_outcome},
};

nlohmann::ordered_json to_json(const Value& value, ColumnType type) {
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  const auto* string = std::get_if<std::string>(&value);
  if (string == nullptr) return nullptr;
  if (type == ColumnType::json) {
    auto parsed = nlohmann::ordered_json::parse(*string, nullptr, false);
    if (!parsed.is_discarded()) return parsed;
  }
  return *string;
}

std::string to_json(const StoredRow& stored) {
  nlohmann::ordered_json object;
  object["table"] = stored.row.table->name;
  for (size_t i = 0; i < stored.row.values.size(); ++i) {
    const Column& column = stored.row.table->columns[i];
    object[std::string(column.name)] = to_json(stored.row.values[i], column.type);
  }
  std::string hex;
  for (const char c : stored.hash) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  object["hash"] = hex;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

Entry to_entry(const StoredRow& stored) {
  const Row& row = stored.row;
  Entry entry;
  entry.table = row.table->name;
  entry.writer = text(row, "writer");
  entry.seq = integer(row, "seq");
  entry.time_us = integer(row, "time_us");
  entry.event_id = text(row, "event_id");
  entry.trace_id = text(row, "trace_id");
  entry.session = text(row, "session");
  for (const auto& reading : kReadings) {
    if (reading.table != row.table->name) continue;
    entry.channel = reading.channel.empty() ? text(row, "channel") : std::string(reading.channel);
    entry.what = reading.what(row);
  }
  entry.verdict = text(row, find_text(row, "action") == nullptr ? "verdict" : "action");
  entry.rule_id = text(row, "rule_id");
  entry.reason = text(row, "reason");
  entry.json = to_json(stored);
  return entry;
}

}  // namespace gatehouse::audit
