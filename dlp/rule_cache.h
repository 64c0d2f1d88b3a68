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
  struct Databases {
    std::string streaming;
    std::string block;
  };

  // `description` is all that the databases depend on; its SHA-256 names the file.
  RuleCache(std::string directory, const std::string& description);

  std::optional<Databases> load() const;
  // Makes the directory (0700) and the file (0600), whole or not at all. A failure is a logged warning.
  void store(const Databases& databases) const;

  const std::string& path() const { return path_; }

 private:
  Result<Databases> read() const;
  Result<void> write(const Databases& databases) const;

  std::string directory_;
  std::string key_;  // 32 bytes
  std::string path_;
};

}  // namespace gatehouse::dlp
