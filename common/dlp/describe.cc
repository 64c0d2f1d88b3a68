#include "common/base/log.h"
#include "common/dlp/client.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kMaxNameShown = 64;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// By sound, as far as letters tell: "an OpenAI key", "an SSN", "a GitHub token", "an npm token".
std::string_view article(std::string_view title) {
  const std::string_view word = title.substr(0, title.find_first_of(" -"));
  if (word.empty()) return "a";
  const bool spelled = word == "npm" || (word.size() > 1 && word.size() <= 4 && is_upper(word[0]) && is_upper(word[1]));
  const std::string_view vowels = spelled ? "AEFHILMNORSXn" : "AEIOaeio";
  return vowels.find(word.front()) == std::string_view::npos ? "a" : "an";
}

std::string place(std::string_view location) {
  const size_t colon = location.find(':');
  const std::string_view kind = location.substr(0, colon);
  const std::string name =
      colon == std::string_view::npos ? "" : log::printable(location.substr(colon + 1), kMaxNameShown);
  if (kind == "query" && name.empty()) return "the query parameters joined";
  if (kind == "query") return "query parameter " + name;
  if (kind == "query-name") return "the name of a query parameter";
  if (kind == "header") return "header " + name;
  if (kind == "header-name") return "the name of a header";
  if (kind == "trailer") return "trailer " + name;
  if (kind == "trailer-name") return "the name of a trailer";
  if (kind == "cookie") return "cookie " + name;
  if (kind == "cookie-name") return "the name of a cookie";
  if (kind == "head") return "the request's head";
  if (kind == "name") return "the name asked for";
  if (kind == "names") return "the names asked for, joined";
  if (kind == "body/form") return "form field " + name + " of the body";
  if (kind == "body/file") return "file " + name + " in the body";
  return "the " + log::printable(location, kMaxNameShown);
}

}  // namespace

std::string describe(const Finding& finding) {
  const std::string title = log::printable(finding.title.empty() ? finding.rule : finding.title);
  std::string said = fmt::format("{} {}", article(title), title);
  if (!finding.prefix.empty()) said += fmt::format(" ({}...)", log::printable(finding.prefix.substr(0, kPrefixBytes)));
  said += " in " + place(finding.location);
  if (!finding.path.empty()) said += ", encoded as " + log::printable(finding.path);
  if (!finding.detail.empty()) said += ", " + log::printable(finding.detail);
  return said;
}

}  // namespace gatehouse::dlp
