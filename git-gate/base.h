// What a push builds on: commits and trees of the remote, which are not in the push. Ids are hashes, so that what is
// here is what the push means; where it comes from makes no difference but for one thing, which `tips` are for.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/git/gate_protocol.h"
#include "common/git/upload_pack.h"
#include "common/policy/git.h"
#include "git-gate/effort.h"
#include "git-gate/pack_graph.h"
#include "git-gate/path_rules.h"

namespace gatehouse::git_gate {

inline constexpr size_t kMaxBaseCommits = 300'000;

// What is to be known.
struct BaseWanted {
  std::vector<std::string> trees;  // commits that are compared with, and must be in the history of a ref of the remote
  std::vector<std::string> refs;   // of the remote, likewise
  // Of a ref that is not proved to move forward: its old tip, and the commits of the remote that the new one follows.
  struct Forward {
    std::string ref;
    std::string old_id;
    std::vector<std::string> follows;
  };
  std::vector<Forward> forward;
  bool empty() const { return trees.empty() && forward.empty(); }
  bool too_many() const;
};
BaseWanted wanted_base(const git::PushHead& head, const policy::GitTerms& terms, const PackGraph& pushed);

// What has come of it.
struct Base {
  explicit Base(ObjectFormat format) : graph(format) {}
  PackGraph graph;  // commits alone
  TreeStore trees;
  git::RemoteRefs refs;
  std::string why;  // there is not more, in words; empty: it is whole

  // Whether a branch or tag of the remote has the commit in its history, as far as `graph` shows it. What is merely
  // there (in a fork, say, that shares its objects) need never have been let in by anybody.
  bool is_rooted(const ObjectKey& commit) const { return rooted_.contains(commit); }
  void find_rooted();  // once refs or graph have changed

 private:
  std::unordered_set<ObjectKey, ObjectKeyHash> rooted_;
};

// Both graphs as one.
class History {
 public:
  // All outlive it; `base` may be null.
  History(const PackGraph& pushed, const Base* base, Effort& effort) : pushed_(pushed), base_(base), effort_(effort) {}
  const PackGraph::CommitFacts* find(const ObjectKey& commit) const;
  // Whether `old_id` is `new_id` or one of the commits before it, as far as the effort goes.
  bool proves_forward(std::string_view old_id, std::string_view new_id) const;
  // The commit that `id` is, or that it leads to as a tag of the push.
  ObjectKey commit_of(std::string_view id) const;

 private:
  const PackGraph& pushed_;
  const Base* base_;
  Effort& effort_;
};

}  // namespace gatehouse::git_gate
