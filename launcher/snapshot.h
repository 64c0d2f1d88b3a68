// A file of a session as it was when it started: a gate that is started again reads the same text, whatever has become
// of the user's file. (The policy: policy_keeper.h.)
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::launcher {

// Copies the certificates to trust upstream into `directory`, read-only, and returns the copy's path.
Result<std::string> snapshot_certificates(const std::string& file, const std::string& directory);
inline constexpr size_t kMaxCertificatesBytes = 4 << 20;

}  // namespace gatehouse::launcher
