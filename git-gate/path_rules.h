// Which protected paths a push changes (a git rule's "unchanged"). Decided by object ids alone: what has the same id on
// both sides is the same. What cannot be compared, because the push has no base of the remote to it, is unproved.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/git/push_request.h"
#include "common/policy/git.h"
#include "git-gate/effort.h"
#include "git-gate/pack_graph.h"

namespace gatehouse::git_gate {

inline constexpr size_t kMaxChangedPaths = 10'000;  // more are not told one by one: unproved

// The trees of a pack as bytes.
class TreeStore {
 public:
  explicit TreeStore(std::shared_ptr<Room> room = std::make_shared<Room>()) : room_(std::move(room)) {}
  // False when there is no room; from then on nothing can be proved.
  bool add(std::string_view id, std::string_view bytes);
  const std::string* find(const ObjectKey& key) const;
  bool overflowed() const { return overflowed_; }

 private:
  std::shared_ptr<Room> room_;
  std::unordered_map<ObjectKey, std::string, ObjectKeyHash> trees_;
  bool overflowed_ = false;
};

// Whether `glob` may match something below `folder` ("/a/b"; "" is the root). Letters are not told apart.
bool may_match_below(const policy::PathGlob& glob, std::string_view folder);

struct PathChanges {
  std::set<std::string> changed;   // paths, with a slash in front
  std::set<std::string> unproved;  // commits, as hex
};

struct Base;

// All there is to compare; `base` is null before anything has been read of the remote.
struct PushedHistory {
  const PackGraph& graph;
  const TreeStore& trees;
  const Base* base;
  Effort& effort;
};

// Each pushed commit must leave the paths as one of its parents has them, and parents that are not in the push must be
// in the history of a branch or tag of the remote.
PathChanges changes_by_commits(const PushedHistory& history, std::span<const policy::PathGlob> globs);

// And each ref: one that is there must then have the paths as it has them now, or as the remote's HEAD does. (A merge
// may bring in what others have changed, and no older state of it.) One that is made must be in the push, or in the
// history of a branch or tag.
PathChanges changes_by_ref(const PushedHistory& history, const git::RefCommand& command,
                           std::span<const policy::PathGlob> globs);

}  // namespace gatehouse::git_gate
