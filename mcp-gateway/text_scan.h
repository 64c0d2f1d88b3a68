// Showing JSON to the scanner.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/audit/event.h"
#include "common/base/verdict.h"
#include "common/dlp/client.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

// By what name a server is known to exemptions and findings: "files.mcp".
std::string scan_host(std::string_view server);

// What the scanner makes of a value.
struct Looked {
  std::vector<dlp::Finding> findings;
  // Denies when something was found that may not pass, or when the scanner gave no verdict: no value was looked
  // through.
  Decision decision{Verdict::allow, "", ""};
};

// Looks through all of `value`, under the name `what` ("arguments", "result"): as JSON, and its texts joined, so that
// what is split over several is seen. Destroying it abandons it. `done` comes never from within, and may destroy it.
class TextScan {
 public:
  TextScan(dlp::ScanClient& scanner, dlp::StreamInfo info, std::string_view what, const Value& value,
           std::function<void(Looked)> done);

 private:
  std::unique_ptr<dlp::Scan> scan_;
};

// The rows for what was found.
std::vector<audit::DlpFinding> finding_rows(const Looked& looked, const dlp::StreamInfo& info);

}  // namespace gatehouse::mcp
