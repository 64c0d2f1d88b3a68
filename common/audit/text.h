// What may stand in a text column of the audit log.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::audit {

inline constexpr size_t kMaxTextBytes = 32 * 1024;  // of one column, before escaping; what is cut is said at the end

// `bytes` as UTF-8 that can neither end a C string early nor steer a terminal: control characters (C0, DEL, C1), bytes
// that are no UTF-8, and the characters that hide or reorder text (zero-width, bidirectional, line separators, U+FEFF)
// become \xNN, byte by byte. Everything else, backslashes included, stays as it is: most callers hand over text that is
// escaped already.
std::string storable_text(std::string_view bytes);

}  // namespace gatehouse::audit
