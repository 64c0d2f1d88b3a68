#include "common/git/report.h"

#include "common/base/log.h"
#include "common/git/pkt_line.h"

namespace gatehouse::git {

namespace {

constexpr char kReportBand = 1;
constexpr char kTextBand = 2;
constexpr size_t kMaxBandBytes = 65000;

void append_band(std::string& out, char band, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, kMaxBandBytes);
    append_pkt(out, band + std::string(piece));
    bytes.remove_prefix(piece.size());
  }
}

}  // namespace

std::string refusal_response(const PushCapabilities& agreed, const std::vector<RefRefusal>& refs,
                             std::string_view text) {
  std::string report;
  append_pkt(report, "unpack ok\n");  // nothing was unpacked; any other word hides the refs' own
  for (const auto& [ref, reason] : refs) {
    append_pkt(report, fmt::format("ng {} {}\n", ref, log::printable(reason, kMaxReasonBytes)));
  }
  append_flush(report);
  if (agreed.report == Report::none) report.clear();
  if (!agreed.side_band) return report;
  std::string out;
  append_band(out, kTextBand, text);
  append_band(out, kReportBand, report);
  append_flush(out);
  return out;
}

}  // namespace gatehouse::git
