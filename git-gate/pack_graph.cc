#include "git-gate/pack_graph.h"

namespace gatehouse::git_gate {

bool PackGraph::add_commit(std::string_view id, const Commit& commit) {
  if (!room_->take(kTableEntryBytes + sizeof(ObjectKey) + sizeof(CommitFacts) +
                   commit.parents.size() * sizeof(ObjectKey))) {
    return false;
  }
  CommitFacts facts{ObjectKey::of_hex(commit.tree), {}};
  facts.parents.reserve(commit.parents.size());
  for (const auto parent : commit.parents) facts.parents.push_back(ObjectKey::of_hex(parent));
  commits_.emplace(ObjectKey::of_hex(id), std::move(facts));
  return true;
}

bool PackGraph::add_tag(std::string_view id, const Tag& tag) {
  if (!room_->take(kTableEntryBytes + 2 * sizeof(ObjectKey))) return false;
  tags_.emplace(ObjectKey::of_hex(id), ObjectKey::of_hex(tag.object));
  return true;
}

void PackGraph::add_entry(const ObjectKey& tree, const TreeEntry& entry) {
  if (entry.is_submodule()) return;
  const auto id = ObjectKey::of_raw(entry.id);
  if (names_.contains(id)) return;
  const size_t bytes = kTableEntryBytes + sizeof(ObjectKey) + sizeof(Name) + entry.name.size();
  if (names_room_.take(bytes) && room_->take(bytes)) names_.emplace(id, Name{tree, std::string(entry.name)});
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
