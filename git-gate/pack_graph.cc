#include "git-gate/pack_graph.h"

namespace gatehouse::git_gate {

bool PackGraph::add_commit(std::string_view id, const Commit& commit) {
  constexpr size_t kEachBytes = 160;  // of the table, besides parents
  commits_bytes_ += kEachBytes + commit.parents.size() * sizeof(ObjectKey);
  if (commits_bytes_ > kMaxCommitsBytes) return false;
  CommitFacts facts{ObjectKey::of_hex(commit.tree), {}};
  for (const auto parent : commit.parents) facts.parents.push_back(ObjectKey::of_hex(parent));
  commits_.emplace(ObjectKey::of_hex(id), std::move(facts));
  return true;
}

void PackGraph::add_tag(std::string_view id, const Tag& tag) {
  tags_.emplace(ObjectKey::of_hex(id), ObjectKey::of_hex(tag.object));
}

void PackGraph::add_entry(const ObjectKey& tree, const TreeEntry& entry) {
  if (entry.is_submodule() || names_.size() >= kMaxNamedObjects || names_bytes_ > kMaxNamesBytes) return;
  if (names_.try_emplace(ObjectKey::of_raw(entry.id), Name{tree, std::string(entry.name)}).second) {
    names_bytes_ += entry.name.size();
  }
}

std::string PackGraph::path_of(std::string_view id) const {
  std::string path;
  ObjectKey key = ObjectKey::of_hex(id);
  for (size_t depth = 0; depth < kMaxPathDepth; ++depth) {
    const auto found = names_.find(key);
    if (found == names_.end()) return path;
    path = path.empty() ? found->second.name : found->second.name + "/" + path;
    key = found->second.tree;
  }
  return path;
}

}  // namespace gatehouse::git_gate
