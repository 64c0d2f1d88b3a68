// Which protected paths the commits of a pack change (a git rule's "unchanged"). Decided by object ids alone: what has
// the same id on both sides is the same. A commit whose parents are not in the pack cannot be compared: it is unproved.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/policy/git.h"
#include "git-gate/pack_graph.h"

namespace gatehouse::git_gate {

inline constexpr size_t kMaxStoredTreeBytes = 64 << 20;

// The trees of a pack as bytes.
class TreeStore {
 public:
  // False when there is no room; from then on nothing can be proved.
  bool add(std::string_view id, std::string_view bytes);
  const std::string* find(const ObjectKey& key) const;
  bool overflowed() const { return overflowed_; }

 private:
  std::unordered_map<ObjectKey, std::string, ObjectKeyHash> trees_;
  size_t bytes_ = 0;
  bool overflowed_ = false;
};

// Whether `glob` may match something below `folder` ("/a/b"; "" is the root). Letters are not told apart.
bool may_match_below(const policy::PathGlob& glob, std::string_view folder);

struct PathChanges {
  std::set<std::string> changed;   // paths, with a slash in front
  std::set<std::string> unproved;  // commits, as hex
};
PathChanges find_changes(const PackGraph& graph, const TreeStore& trees, std::span<const policy::PathGlob> globs);

}  // namespace gatehouse::git_gate
