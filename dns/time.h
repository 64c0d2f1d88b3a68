// The gate's clock: passed in, never read by a core.
#pragma once

#include <chrono>

namespace gatehouse::dns {

using Time = std::chrono::steady_clock::time_point;

}  // namespace gatehouse::dns
