// Where a gate's policy comes from, at the start and later.
#pragma once

#include "common/base/fd.h"
#include "common/base/options.h"
#include "common/base/result.h"
#include "common/policy/policy.h"

namespace gatehouse::reload {

struct PolicySource {
  policy::Policy policy;
  Fd control;          // protocol.h; none: nothing comes later
  bool alone = false;  // the other end is our own reader, which reads the files again when it is told to
};

// With --policy-snapshot the launcher says what holds. With --policy a process is left behind that may still read files
// when this one may no longer: call it while there is one thread, nothing secret in memory and no socket to be kept
// from it. It ends with us. With --check-config there is none.
Result<PolicySource> open_policy(const GateOptions& options);

}  // namespace gatehouse::reload
