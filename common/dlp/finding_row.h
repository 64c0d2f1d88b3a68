// A finding as the audit log keeps it.
#pragma once

#include "common/audit/event.h"
#include "common/dlp/finding.h"

namespace gatehouse::dlp {

// The row that the gate which asked about `stream` writes for `finding`. Its rule id is "dlp.<rule>", its reason
// describe() in words; only FindingAction::deny denies.
audit::DlpFinding audit_row(const Finding& finding, const StreamInfo& stream);

}  // namespace gatehouse::dlp
