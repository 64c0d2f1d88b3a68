// Questions as people write them: "GET https://host/path", "git push https://host/path main", "tls host", "mcp files
// read_file {...}", "resource files file:///srv/x", "prompt files greet", "dns A name", "dlp rule host".
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "common/policy/registries.h"

namespace gatehouse::policy {

enum class QuestionKind { http, git, tls, mcp, resource, prompt, dns, dlp };

// What a test calls them, and what a question begins with, unless it is one of http.
inline constexpr std::pair<std::string_view, QuestionKind> kQuestionWords[] = {
    {"http", QuestionKind::http},         {"git", QuestionKind::git},
    {"tls", QuestionKind::tls},           {"mcp", QuestionKind::mcp},
    {"resource", QuestionKind::resource}, {"prompt", QuestionKind::prompt},
    {"dns", QuestionKind::dns},           {"dlp", QuestionKind::dlp}};

inline bool is_mcp(QuestionKind kind) {
  return kind == QuestionKind::mcp || kind == QuestionKind::resource || kind == QuestionKind::prompt;
}

// An owned HttpRequest, TlsQuestion, McpCall, McpRead, McpPrompt, DnsQuestion or FindingQuestion.
struct Question {
  QuestionKind kind = QuestionKind::http;
  std::string scheme, host, method, path;  // http
  uint16_t port = 0;                       // tls too, with `host`
  std::vector<std::pair<std::string, std::string>> headers;
  std::string type;                 // dns; the name is in `host`
  std::string rule;                 // dlp; to whom it goes is in `host`
  std::string repository;           // git; its path, with or without ".git"
  std::optional<RefUpdate> update;  // git push; nothing for fetch
  std::string ref;                  // what `update` speaks of
  std::string server;               // mcp, resource, prompt
  std::string tool;                 // mcp
  std::shared_ptr<const nlohmann::json> arguments;
  std::string uri, prompt;

  // The request with `fields` for its header fields, both to outlive it.
  HttpRequest request(std::vector<HeaderField>& fields) const;
  // Of git: the verdict on the request it takes, and on the ref.
  Decision judge_git(const Policy& policy) const;
  TlsQuestion tls_question() const { return {host, port}; }
  McpCall mcp_call() const { return {server, tool, *arguments}; }
  McpPrompt mcp_prompt() const { return {server, prompt}; }
  // The verdict on a call, on reading a resource, or on having a prompt.
  McpDecision judge_mcp(const Policy& policy) const;
  DnsQuestion dns_question() const { return {host, type}; }
  FindingQuestion finding(const FindingRule& facts) const { return {rule, facts.category, facts.severity, host}; }
  std::string to_string() const;
};

using ResolveSymbol = std::function<Result<std::vector<RegistryOrigin>>(const std::string& symbol)>;

// Reads "METHOD http(s)://HOST[:PORT][/PATH]". A symbol ("@npm") as host stands for each of its origins, scheme and
// port included. The path is left as written, so that odd ones can be asked about.
Result<std::vector<Question>> parse_http_question(std::string_view text, const ResolveSymbol& resolve);

// Reads "Name: value".
Result<std::pair<std::string, std::string>> parse_header_field(std::string_view text);

// Reads "fetch https://HOST[:PORT]/PATH" or "push https://HOST[:PORT]/PATH REF [create|update|delete|force]": a ref is
// a branch's name, or begins with "refs/"; it is updated if nothing else is said.
Result<Question> parse_git_question(std::string_view text);

// Reads "HOST" or "HOST:PORT"; folds the host's case and drops its final dot.
Result<Question> parse_tls_question(std::string_view text);

// Reads "SERVER TOOL [{ARGUMENTS}]".
Result<Question> parse_mcp_question(std::string_view text);

// Read "SERVER URI" and "SERVER PROMPT". The URI is left as written, so that odd ones can be asked about.
Result<Question> parse_resource_question(std::string_view text);
Result<Question> parse_prompt_question(std::string_view text);

// Reads "TYPE NAME"; folds the name's case and drops its final dot.
Result<Question> parse_dns_question(std::string_view text);

// Reads "RULE HOST"; folds the host's case and drops its final dot.
Result<Question> parse_dlp_question(std::string_view text);

}  // namespace gatehouse::policy
