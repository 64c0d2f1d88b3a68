#include "common/policy/question.h"

#include <charconv>
#include <tuple>
#include <utility>

#include "common/base/log.h"
#include "common/policy/finding_words.h"
#include "common/policy/http_words.h"
#include "common/policy/layer.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr uint16_t kHttpPort = 80;

tl::unexpected<Error> unreadable(std::string_view text) {
  return fail("cannot read '{}'; expected \"GET https://host/path\", \"dns A name\" or \"dlp rule host\"",
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
