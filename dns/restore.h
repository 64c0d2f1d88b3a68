// What a restarted gate takes over from the one before it.
#pragma once

#include <string>

#include "common/base/result.h"
#include "dns/pool.h"

namespace gatehouse::dns {

// Gives every name the address that the audit log at `path` says it was last answered with, and all of them a new
// lease, so that connections under way and answers the guest remembers stay good across a crash. A log that cannot be
// read is an error: a wrong address would lead to another name's verdict.
Result<void> restore_pool(const std::string& path, Pool& pool, Time now);

}  // namespace gatehouse::dns
