#include "common/policy/question.h"

#include <charconv>
#include <tuple>
#include <utility>

#include "common/base/log.h"
#include "common/json/strict.h"
#include "common/policy/finding_words.h"
#include "common/policy/http_words.h"
#include "common/policy/layer.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr uint16_t kHttpPort = 80;

tl::unexpected<Error> unreadable(std::string_view text) {
  return fail(
      "cannot read '{}'; expected \"GET https://host/path\", \"git push https://host/path branch\", \"tls host\", "
      "\"mcp server tool {{...}}\", \"resource server uri\", \"prompt server name\", \"dns A name\" or "
      "\"dlp rule host\"",
      log::printable(text, 100));
}

// "WORD HOST", the host folded and without its final dot.
Result<std::pair<std::string, std::string>> parse_word_and_host(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == text.size()) return unreadable(text);
  std::string host = fold_case(text.substr(space + 1));
  if (host.ends_with('.')) host.pop_back();
  return std::pair(std::string(text.substr(0, space)), std::move(host));
}

}  // namespace

HttpRequest Question::request(std::vector<HeaderField>& fields) const {
  fields.clear();
  for (const auto& [name, value] : headers) fields.push_back({name, value});
  return {scheme, host, port, method, path, fields};
}

Result<std::pair<std::string, std::string>> parse_header_field(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_token(text.substr(0, colon))) {
    return fail("'{}' is no header field; expected \"Name: value\"", log::printable(text, 100));
  }
  std::string_view value = text.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  return std::pair(std::string(text.substr(0, colon)), std::string(value.substr(0, value.find_last_not_of(" \t") + 1)));
}

std::string Question::to_string() const {
  if (kind == QuestionKind::dns) return fmt::format("dns {} {}", type, host);
  if (kind == QuestionKind::dlp) return fmt::format("dlp {} {}", rule, host);
  if (kind == QuestionKind::mcp) return fmt::format("mcp {} {} {}", server, tool, json::write(*arguments));
  if (kind == QuestionKind::resource) return fmt::format("resource {} {}", server, uri);
  if (kind == QuestionKind::prompt) return fmt::format("prompt {} {}", server, prompt);
  if (kind == QuestionKind::git) {
    const std::string url =
        fmt::format("https://{}{}{}", host, port == kHttpsPort ? "" : fmt::format(":{}", port), path);
    if (!update) return "git fetch " + url;
    const std::string_view what = update->kind == RefUpdate::Kind::create   ? " create"
                                  : update->kind == RefUpdate::Kind::remove ? " delete"
                                  : update->forced                          ? " force"
                                                                            : "";
    return fmt::format("git push {} {}{}", url, ref, what);
  }
  if (kind == QuestionKind::tls)
    return fmt::format("tls {}{}", host, port == kHttpsPort ? "" : fmt::format(":{}", port));
  const bool usual = port == (is_over_tls(scheme) ? kHttpsPort : kHttpPort);
  return fmt::format("{} {}://{}{}{}", method, scheme, host, usual ? "" : fmt::format(":{}", port), path);
}

Result<std::vector<Question>> parse_http_question(std::string_view text, const ResolveSymbol& resolve) {
  Question question;
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0) return unreadable(text);
  question.method = text.substr(0, space);
  std::string_view url = text.substr(space + 1);
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) return unreadable(text);
  question.scheme = fold_case(url.substr(0, colon));
  if (scheme_named(question.scheme) == 0) return unreadable(text);
  question.port = is_over_tls(question.scheme) ? kHttpsPort : kHttpPort;
  url.remove_prefix(colon + 3);

  std::string_view authority = url.substr(0, url.find_first_of("/?"));
  question.path = url.substr(authority.size());
  if (!question.path.starts_with('/')) question.path.insert(0, "/");
  if (const size_t port = authority.rfind(':'); port != std::string_view::npos && !authority.ends_with(']')) {
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + port + 1, end, question.port);
    if (error != std::errc() || stop != end || question.port == 0) return unreadable(text);
    authority = authority.substr(0, port);
  }
  if (authority.empty()) return unreadable(text);
  question.host = fold_case(authority);
  if (!question.host.starts_with('@')) return std::vector{question};

  const auto origins = resolve(question.host);
  if (!origins) return failed(origins);
  std::vector<Question> questions;
  for (const auto& origin : *origins) {
    question.scheme = origin.https ? "https" : "http";
    question.host = origin.host;
    question.port = origin.port;
    questions.push_back(question);
  }
  return questions;
}

Result<Question> parse_git_question(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t space = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, space - at));
    at = space + 1;
  }
  const bool push = words[0] == "push";
  if ((words[0] != "fetch" || words.size() != 2) && (!push || words.size() < 3 || words.size() > 4))
    return unreadable(text);
  auto asked = parse_http_question("POST " + words[1],
                                   [](const std::string&) { return fail("a registry has no repositories"); });
  if (!asked) return failed(asked);
  Question question = std::move(asked->front());
  if (question.scheme != "https" || question.path.find('?') != std::string::npos) return unreadable(text);
  question.kind = QuestionKind::git;
  std::string_view repository = question.path;
  if (repository.ends_with(".git")) repository.remove_suffix(4);
  question.repository = repository;
  if (!push) return question;
  question.ref = words[2].starts_with("refs/") ? words[2] : "refs/heads/" + words[2];
  question.update.emplace();
  const std::string how = words.size() == 4 ? words[3] : "update";
  if (how == "create") {
    question.update->kind = RefUpdate::Kind::create;
  } else if (how == "delete") {
    question.update->kind = RefUpdate::Kind::remove;
  } else if (how == "force") {
    question.update->forced = true;
  } else if (how != "update") {
    return unreadable(text);
  }
  return question;
}

Decision Question::judge_git(const Policy& policy) const {
  const std::string service = repository + (update ? ".git/git-receive-pack" : ".git/git-upload-pack");
  Decision request =
      policy.judge(HttpRequest{.scheme = "https", .host = host, .port = port, .method = "POST", .path = service});
  if (!update || request.verdict == Verdict::deny) return request;
  RefUpdate asked = *update;
  asked.ref = ref;
  Decision by_ref = policy.judge(GitRemote{host, port, repository}, asked);
  return by_ref.verdict >= request.verdict ? by_ref : request;
}

Result<Question> parse_tls_question(std::string_view text) {
  Question question;
  question.kind = QuestionKind::tls;
  question.port = kHttpsPort;
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, question.port);
    if (error != std::errc() || stop != end || question.port == 0) return unreadable(text);
  }
  question.host = fold_case(text.substr(0, colon));
  if (question.host.ends_with('.')) question.host.pop_back();
  if (question.host.empty() || question.host.find(' ') != std::string::npos) return unreadable(text);
  return question;
}

Result<Question> parse_mcp_question(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0) return unreadable(text);
  Question question;
  question.kind = QuestionKind::mcp;
  question.server = text.substr(0, space);
  text.remove_prefix(space + 1);
  question.tool = text.substr(0, text.find(' '));
  if (question.tool.empty()) return unreadable(text);
  text.remove_prefix(question.tool.size());
  const size_t start = std::min(text.find_first_not_of(' '), text.size());
  auto arguments = json::read(start == text.size() ? "{}" : text.substr(start));
  if (!arguments)
    return fail("the arguments of '{}': {}", log::printable(question.tool, 64), arguments.error().message());
  if (!arguments->is_object())
    return fail("the arguments of '{}' must be an object", log::printable(question.tool, 64));
  question.arguments = std::make_shared<const nlohmann::json>(std::move(*arguments));
  return question;
}

Result<Question> parse_resource_question(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == text.size()) return unreadable(text);
  Question question;
  question.kind = QuestionKind::resource;
  question.server = text.substr(0, space);
  question.uri = text.substr(space + 1);
  return question;
}

Result<Question> parse_prompt_question(std::string_view text) {
  auto question = parse_resource_question(text);
  if (!question) return question;
  question->kind = QuestionKind::prompt;
  question->prompt = std::move(question->uri);
  question->uri.clear();
  return question;
}

McpDecision Question::judge_mcp(const Policy& policy) const {
  if (kind == QuestionKind::resource) return policy.judge(McpRead{server, uri});
  if (kind == QuestionKind::prompt) return policy.judge(McpPrompt{server, prompt});
  return policy.judge(mcp_call());
}

Result<Question> parse_dns_question(std::string_view text) {
  auto read = parse_word_and_host(text);
  if (!read) return failed(read);
  Question question;
  question.kind = QuestionKind::dns;
  std::tie(question.type, question.host) = std::move(*read);
  return question;
}

Result<Question> parse_dlp_question(std::string_view text) {
  auto read = parse_word_and_host(text);
  if (!read) return failed(read);
  if (!is_finding_rule_id(read->first)) return unreadable(text);
  Question question;
  question.kind = QuestionKind::dlp;
  std::tie(question.rule, question.host) = std::move(*read);
  return question;
}

}  // namespace gatehouse::policy
