// A bare repository of its own for one push, in a private folder: nothing of the host's configuration, hooks or
// alternates, and gone with this object.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/git/object_id.h"

namespace gatehouse::git_gate {

class Quarantine {
 public:
  // Below `folder`, which is there and ours alone.
  static Result<Quarantine> create(const std::string& folder, git::ObjectFormat format);
  ~Quarantine();
  Quarantine(Quarantine&& other) noexcept;
  Quarantine& operator=(Quarantine&&) = delete;

  const std::string& path() const { return path_; }

  // Makes `folder` (0700) where it is missing, refuses one of somebody else's, and removes what a killed gate left.
  static Result<void> prepare(const std::string& folder);

 private:
  explicit Quarantine(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty: moved from
};

}  // namespace gatehouse::git_gate
