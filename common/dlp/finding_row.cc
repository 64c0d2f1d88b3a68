#include "common/dlp/finding_row.h"

#include "common/dlp/client.h"

namespace gatehouse::dlp {

audit::DlpFinding audit_row(const Finding& finding, const StreamInfo& stream) {
  const auto verdict = finding.action == FindingAction::deny ? Verdict::deny : Verdict::allow;
  audit::DlpFinding row;
  row.trace_id = stream.trace_id;
  row.decision = {verdict, "dlp." + finding.rule, describe(finding)};
  row.channel = stream.channel;
  row.direction = to_string(stream.direction);
  row.host = stream.host;
  row.rule = finding.rule;
  row.category = finding.category;
  row.action = to_string(finding.action);
  row.confidence = to_string(finding.confidence);
  row.location = finding.location;
  row.decode_path = finding.path;
  row.offset = finding.offset;
  row.length = finding.length;
  row.prefix = finding.prefix;
  row.fingerprint = finding.fingerprint;
  row.exemption = finding.exemption;
  row.detail = finding.detail;
  return row;
}

}  // namespace gatehouse::dlp
