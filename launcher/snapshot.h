// The files of a session as they were when it started. A gate that is restarted reads the same text again, whatever
// has become of the user's files meanwhile.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::launcher {

// Copies the files into `directory` (made, 0700), read-only, and returns the copies' paths in the same order. That what
// was copied is what `sha256` speaks of (Policy::sha256 of the originals) is checked: a file changed in between is an
// error.
Result<std::vector<std::string>> snapshot_policies(const std::vector<std::string>& files, const std::string& sha256,
                                                   const std::string& directory);

// Likewise for the certificates to trust upstream: a private copy in `directory`, its path returned.
Result<std::string> snapshot_certificates(const std::string& file, const std::string& directory);
inline constexpr size_t kMaxCertificatesBytes = 4 << 20;

}  // namespace gatehouse::launcher
