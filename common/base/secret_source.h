// Where secret values are read from.
#pragma once

#include <string>

#include "common/base/result.h"

namespace gatehouse {

// All of "fd:N", an inherited descriptor other than the standard three, read to its end and closed; or of a regular
// file that is ours and that nobody else may read (0600). More than `limit` bytes are an error. The caller wipes it.
Result<std::string> read_secret_source(const std::string& source, size_t limit);

}  // namespace gatehouse
