#include "launcher/scan_report.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace gatehouse::launcher {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxShownPathBytes = 4096;

std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string what(const dlp::Finding& finding) {
  std::string text = log::printable(finding.title);
  if (!finding.prefix.empty()) text += fmt::format(" ({}...)", log::printable(finding.prefix));
  if (finding.location != "body") text += fmt::format(" in {}", log::printable(finding.location));
  if (!finding.path.empty()) text += fmt::format(", encoded as {}", log::printable(finding.path));
  if (!finding.detail.empty()) text += fmt::format(" ({})", log::printable(finding.detail));
  return text;
}

// RFC 3986: what a path may hold as it is, '/' included.
std::string uri_of(std::string_view path) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=@";
  std::string uri;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

std::string_view sarif_level(FindingAction severity) {
  return severity == FindingAction::deny ? "error" : severity == FindingAction::redact ? "warning" : "note";
}

Json sarif_result(const FileFinding& found) {
  const auto& finding = found.finding;
  Json region{{"startLine", found.line}, {"startColumn", found.column}, {"byteOffset", finding.offset}};
  if (finding.length > 0) region["byteLength"] = finding.length;
  return Json{{"ruleId", finding.rule},
              {"level", sarif_level(finding.severity)},
              {"message", {{"text", what(finding)}}},
              {"locations",
               {{{"physicalLocation", {{"artifactLocation", {{"uri", uri_of(found.file)}}}, {"region", region}}}}}},
              {"partialFingerprints", {{"secret/v1", finding.fingerprint}}},
              {"properties", {{"decodePath", finding.path}, {"confidence", dlp::to_string(finding.confidence)}}}};
}

}  // namespace

std::string_view severity_word(FindingAction severity) {
  return severity == FindingAction::deny ? "block" : to_string(severity);
}

std::string report_text(const std::vector<FileFinding>& findings) {
  std::string text;
  for (const auto& found : findings) {
    text += fmt::format("{}:{}:{}: {} {}: {}\n", log::printable(found.file, kMaxShownPathBytes), found.line,
                        found.column, severity_word(found.finding.severity), found.finding.rule, what(found.finding));
  }
  return text;
}

std::string report_json(const std::vector<FileFinding>& findings) {
  std::string text;
  for (const auto& found : findings) {
    const auto& finding = found.finding;
    text += dump(Json{{"file", found.file},
                      {"line", found.line},
                      {"column", found.column},
                      {"rule", finding.rule},
                      {"title", finding.title},
                      {"category", finding.category},
                      {"severity", severity_word(finding.severity)},
                      {"confidence", dlp::to_string(finding.confidence)},
                      {"location", finding.location},
                      {"decode_path", finding.path},
                      {"offset", finding.offset},
                      {"length", finding.length},
                      {"prefix", finding.prefix},
                      {"fingerprint", finding.fingerprint},
                      {"detail", finding.detail}}) +
            "\n";
  }
  return text;
}

std::string report_sarif(const std::vector<FileFinding>& findings) {
  std::map<std::string, const dlp::Finding*> rules;
  Json results = Json::array();
  for (const auto& found : findings) {
    rules.emplace(found.finding.rule, &found.finding);
    results.push_back(sarif_result(found));
  }
  Json described = Json::array();
  for (const auto& [id, finding] : rules) {
    described.push_back({{"id", id},
                         {"shortDescription", {{"text", finding->title}}},
                         {"defaultConfiguration", {{"level", sarif_level(finding->severity)}}},
                         {"properties", {{"category", finding->category}}}});
  }
  const Json driver{{"name", "gatehouse"}, {"semanticVersion", GATEHOUSE_VERSION}, {"rules", described}};
  return dump(Json{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                   {"version", "2.1.0"},
                   {"runs", {{{"tool", {{"driver", driver}}}, {"results", results}}}}},
              2) +
         "\n";
}

}  // namespace gatehouse::launcher
