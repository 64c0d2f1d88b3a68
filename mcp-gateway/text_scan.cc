#include "mcp-gateway/text_scan.h"

#include "common/dlp/finding_row.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kJson = "application/json";

// Every text of it, keys included, in order. What comes in is read one by one; what goes out could be put together
// again.
void join_texts(const Value& value, std::string_view between, std::string& joined) {
  if (value.is_string()) {
    joined.append(value.get_ref<const std::string&>()).append(between);
  } else if (value.is_array()) {
    for (const auto& item : value) join_texts(item, between, joined);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.items()) join_texts(member, between, joined);
    if (between.empty()) return;
    for (const auto& [key, member] : value.items()) joined.append(key).append(between);
  }
}

Looked judge(const Result<dlp::ScanVerdict>& verdict) {
  Looked looked;
  if (!verdict) {
    looked.decision = {Verdict::deny, "dlp.unavailable", "it could not be scanned: " + verdict.error().message()};
    return looked;
  }
  looked.findings = verdict->findings;
  if (verdict->outcome == dlp::ScanVerdict::Outcome::allow) return looked;
  looked.decision = {Verdict::deny, "dlp.unavailable", "the scanner denies it and says no more"};
  if (!looked.findings.empty()) {
    const auto& strictest = looked.findings.front();
    const bool redact = verdict->outcome == dlp::ScanVerdict::Outcome::redact;
    looked.decision.rule_id = "dlp." + strictest.rule;
    looked.decision.reason =
        dlp::describe(strictest) + (redact ? ", which the policy redacts and a tool call cannot" : "");
  }
  return looked;
}

}  // namespace

std::string scan_host(std::string_view server) { return fmt::format("{}.mcp", server); }

TextScan::TextScan(dlp::ScanClient& scanner, dlp::StreamInfo info, std::string_view what, const Value& value,
                   std::function<void(Looked)> done)
    : scan_(scanner.open(info)) {
  scan_->part({std::string(what), std::string(kJson), ""});
  scan_->write(json::write(value));
  std::string joined;
  join_texts(value, info.direction == dlp::Direction::out ? "" : "\n", joined);
  scan_->part({fmt::format("{}, joined", what), "", ""});
  scan_->write(joined);
  scan_->finish([done = std::move(done)](const Result<dlp::ScanVerdict>& verdict) { done(judge(verdict)); });
}

std::vector<audit::DlpFinding> finding_rows(const Looked& looked, const dlp::StreamInfo& info) {
  std::vector<audit::DlpFinding> rows;
  for (const auto& finding : looked.findings) rows.push_back(dlp::audit_row(finding, info));
  return rows;
}

}  // namespace gatehouse::mcp
