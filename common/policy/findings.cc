// What becomes of what the scanner finds.
#include "common/policy/compiled.h"

namespace gatehouse::policy {

FindingDecision Policy::judge(const FindingQuestion& question) const { return {question.severity, {}}; }

const Limits& Policy::limits() const { return compiled_->limits; }
const std::vector<SecretSource>& Policy::secrets() const { return compiled_->secrets; }

}  // namespace gatehouse::policy
