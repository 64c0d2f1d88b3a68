// What a file system may take a name for: a tree's entry that is checked out on Windows or macOS can land on another
// name than its own. git fsck refuses such names only where they would be ".git" or one of git's own files.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "common/policy/path_glob.h"

namespace gatehouse::git_gate {

class PathAliases {
 public:
  explicit PathAliases(std::span<const policy::PathGlob> globs);

  // The name that `name` may stand for, with respect to the globs: without what HFS+ ignores, without what NTFS drops
  // (an alternate stream, dots and spaces at the end); a short name of NTFS ("GITHUB~1") as the glob's own name that it
  // can be short for. Letters as they are.
  std::string name_for(std::string_view name) const;

  // Whether a file at `path` would stand in place of a folder that a glob names without wildcards: a link or a
  // submodule there leads what the glob speaks of elsewhere.
  bool is_folder(std::string_view path) const { return folders_.contains(policy::fold_case(path)); }

 private:
  std::set<std::string> names_;    // segments without wildcards
  std::set<std::string> folders_;  // "/.github", small letters
};

}  // namespace gatehouse::git_gate
