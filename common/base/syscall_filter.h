// The seccomp filter of a gate.
#pragma once

#include "common/base/confine.h"

namespace gatehouse {

// Loads the filter described at confine() for the calling thread and those it starts. Needs no_new_privs.
Result<void> apply_syscall_filter(Outbound outbound, bool programs);

}  // namespace gatehouse
