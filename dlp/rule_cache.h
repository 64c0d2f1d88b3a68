// Compiled databases on disk, so that a start takes milliseconds and not a second.
//
// A database is code in all but name: bytes made by another hand must never reach the deserializer. A file is taken
// only when it is ours, writable by nobody else, was made for just this description, and is what its own SHA-256 says.
// Anything else is as if there were none, and is written over.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxRuleCacheBytes = 64 << 20;

class RuleCache {
 public:
  // `description` is all that the content depends on; its SHA-256 names the file.
  RuleCache(std::string directory, const std::string& description);

  std::optional<std::string> load() const;
  // Makes the directory (0700) and the file (0600), whole or not at all. A failure is a logged warning.
  void store(std::string_view content) const;

 private:
  Result<std::string> read() const;
  Result<void> write(std::string_view content) const;

  std::string directory_;
  std::string key_;  // 32 bytes
  std::string path_;
};

}  // namespace gatehouse::dlp
