// UUIDv7 (RFC 9562 section 5.7): event and trace ids that sort by time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace gatehouse {

// A new id as 36 lower-case characters. Ids made by one process are strictly increasing, whatever the clock does: the
// 12 bits of rand_a count within a millisecond. Thread-safe.
std::string make_uuid();

// Whether `text` has the form of one: 36 characters, lower-case.
bool is_uuid(std::string_view text);

// Microseconds since 1970 UTC.
int64_t now_utc_us();

}  // namespace gatehouse
