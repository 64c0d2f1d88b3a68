// Landlock, the kernel's unprivileged file and port confinement, by its system calls.
#pragma once

#include "common/base/confine.h"

namespace gatehouse {

// Confines the calling thread and those it starts. False: this kernel has no Landlock. Needs no_new_privs.
Result<bool> apply_landlock(const Confinement& confinement);

}  // namespace gatehouse
