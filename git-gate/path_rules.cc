#include "git-gate/path_rules.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/policy/text_glob.h"

namespace gatehouse::git_gate {

namespace {

using policy::PathGlob;

constexpr size_t kMaxDepth = 256;

struct Side {
  ObjectKey id;
  uint32_t mode = 0;
  bool operator==(const Side&) const = default;
};

// Compares two trees, of which either may be absent (nothing there).
class Comparison {
 public:
  Comparison(const TreeStore& trees, ObjectFormat format, std::span<const PathGlob> globs)
      : trees_(trees), format_(format), globs_(globs) {}

  // False: what is there cannot be known.
  bool compare(const std::optional<ObjectKey>& before, const std::optional<ObjectKey>& after, const std::string& folder,
               size_t depth = 0) {
    if (before == after) return true;
    const bool concerned =
        std::any_of(globs_.begin(), globs_.end(), [&](const PathGlob& glob) { return may_match_below(glob, folder); });
    if (!concerned) return true;
    if (depth > kMaxDepth) return false;
    std::map<std::string, std::pair<std::optional<Side>, std::optional<Side>>> names;
    if (!list(before, names, &std::pair<std::optional<Side>, std::optional<Side>>::first)) return false;
    if (!list(after, names, &std::pair<std::optional<Side>, std::optional<Side>>::second)) return false;
    for (const auto& [name, sides] : names) {
      if (sides.first == sides.second) continue;
      const std::string path = folder + "/" + name;
      note(path);
      if (!compare(tree_of(sides.first), tree_of(sides.second), path, depth + 1)) return false;
    }
    return true;
  }

  std::set<std::string> changed;

 private:
  static constexpr uint32_t kTreeMode = 040000;

  static std::optional<ObjectKey> tree_of(const std::optional<Side>& side) {
    if (!side || side->mode != kTreeMode) return std::nullopt;
    return side->id;
  }

  template <class Names, class Which>
  bool list(const std::optional<ObjectKey>& tree, Names& names, Which which) {
    if (!tree) return true;
    const std::string* bytes = trees_.find(*tree);
    if (bytes == nullptr) return false;
    return read_tree(*bytes, format_,
                     [&](const TreeEntry& entry) {
                       names[std::string(entry.name)].*which = Side{ObjectKey::of_raw(entry.id), entry.mode};
                     })
        .has_value();
  }

  // A tree that a glob names itself counts as well: it may have become a file, or a link.
  void note(const std::string& path) {
    const auto names = [&](const PathGlob& glob) { return glob.matches(path, policy::Case::ignored); };
    if (std::any_of(globs_.begin(), globs_.end(), names)) changed.insert(path);
  }

  const TreeStore& trees_;
  ObjectFormat format_;
  std::span<const PathGlob> globs_;
};

}  // namespace

bool TreeStore::add(std::string_view id, std::string_view bytes) {
  if (bytes_ + bytes.size() > kMaxStoredTreeBytes) overflowed_ = true;
  if (overflowed_) return false;
  bytes_ += bytes.size();
  trees_.emplace(ObjectKey::of_hex(id), bytes);
  return true;
}

const std::string* TreeStore::find(const ObjectKey& key) const {
  const auto found = trees_.find(key);
  return found == trees_.end() ? nullptr : &found->second;
}

bool may_match_below(const PathGlob& glob, std::string_view folder) {
  std::string_view pattern = glob.text();
  while (!folder.empty()) {
    pattern.remove_prefix(1);
    folder.remove_prefix(1);
    const auto wanted = pattern.substr(0, pattern.find('/'));
    const auto name = folder.substr(0, folder.find('/'));
    if (wanted == "**") return true;
    if (!policy::glob_matches(wanted, name, policy::Case::ignored)) return false;
    pattern.remove_prefix(wanted.size());
    folder.remove_prefix(name.size());
    if (pattern.empty()) return false;
  }
  return true;
}

PathChanges find_changes(const PackGraph& graph, const TreeStore& trees, std::span<const PathGlob> globs) {
  PathChanges changes;
  for (const auto& entry : graph.commits()) {
    const auto& id = entry.first;
    const auto& commit = entry.second;
    std::optional<std::set<std::string>> changed;  // against every parent
    bool proved = !trees.overflowed();
    const auto against = [&](const std::optional<ObjectKey>& base) {
      Comparison comparison(trees, graph.format(), globs);
      proved = proved && comparison.compare(base, commit.tree, "");
      if (!changed) {
        changed = std::move(comparison.changed);
      } else {
        std::erase_if(*changed, [&](const std::string& path) { return !comparison.changed.contains(path); });
      }
    };
    if (commit.parents.empty()) against(std::nullopt);
    for (const auto& parent : commit.parents) {
      const auto found = graph.commits().find(parent);
      if (found == graph.commits().end()) {
        proved = false;
      } else {
        against(found->second.tree);
      }
    }
    if (!proved) changes.unproved.insert(id.hex(graph.format()));
    if (proved && changed) changes.changed.merge(*changed);
  }
  return changes;
}

}  // namespace gatehouse::git_gate
