// Several loops, a thread each.
#pragma once

#include <list>

#include "common/net/loop.h"

namespace gatehouse {

// Runs the first loop on the caller's thread and each of the others on one of its own, until SIGINT or SIGTERM, which
// go to the first. At least one loop. Returns kExitOk when all have stopped.
int run_until_signal(std::list<Loop>& loops);

}  // namespace gatehouse
