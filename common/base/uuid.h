// UUIDv7 (RFC 9562 section 5.7): event and trace ids that sort by time.
#pragma once

#include <chrono>
#include <string>

namespace gatehouse {

// A new id as 36 lower-case characters. Ids made by one process are strictly increasing, whatever the clock does: the
// 12 bits of rand_a count within a millisecond. Thread-safe.
std::string make_uuid();

// Microseconds since 1970 UTC.
int64_t now_utc_us();

}  // namespace gatehouse
