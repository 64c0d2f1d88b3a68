#include "git-gate/path_rules.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/policy/text_glob.h"
#include "git-gate/base.h"
#include "git-gate/path_alias.h"

namespace gatehouse::git_gate {

namespace {

using policy::PathGlob;

constexpr size_t kMaxDepth = 256;

constexpr uint32_t kTreeMode = 040000;
constexpr uint32_t kLinkMode = 0120000;
constexpr uint32_t kSubmoduleMode = 0160000;

struct Side {
  ObjectKey id;
  uint32_t mode = 0;
  bool operator==(const Side&) const = default;
};

// Compares two trees, of which either may be absent (nothing there).
class Comparison {
 public:
  Comparison(const PushedHistory& history, std::span<const PathGlob> globs, const PathAliases& aliases)
      : history_(history), globs_(globs), aliases_(aliases) {}

  // False: what is there cannot be known.
  bool compare(const std::optional<ObjectKey>& before, const std::optional<ObjectKey>& after) {
    return compare(before, after, "", "", 0);
  }

  std::set<std::string> changed;

 private:
  using Sides = std::pair<std::optional<Side>, std::optional<Side>>;

  // `alias` is what `folder` may be taken for (path_alias.h).
  bool compare(const std::optional<ObjectKey>& before, const std::optional<ObjectKey>& after, const std::string& folder,
               const std::string& alias, size_t depth) {
    if (before == after) return true;
    const bool concerned =
        std::any_of(globs_.begin(), globs_.end(), [&](const PathGlob& glob) { return may_match_below(glob, alias); });
    if (!concerned) return true;
    if (depth > kMaxDepth) return false;
    std::map<std::string, Sides> names;
    if (!list(before, names, &Sides::first) || !list(after, names, &Sides::second)) return false;
    for (const auto& [name, sides] : names) {
      if (sides.first == sides.second) continue;
      const std::string path = folder + "/" + name;
      const std::string taken_for = alias + "/" + aliases_.name_for(name);
      if (!note(path, taken_for, sides)) return false;
      if (!compare(tree_of(sides.first), tree_of(sides.second), path, taken_for, depth + 1)) return false;
    }
    return true;
  }

  static std::optional<ObjectKey> tree_of(const std::optional<Side>& side) {
    if (!side || side->mode != kTreeMode) return std::nullopt;
    return side->id;
  }

  static bool leads_away(const std::optional<Side>& side) {
    return side && (side->mode == kLinkMode || side->mode == kSubmoduleMode);
  }

  bool list(const std::optional<ObjectKey>& tree, std::map<std::string, Sides>& names,
            std::optional<Side> Sides::*which) const {
    if (!tree) return true;
    const std::string* bytes = history_.trees.find(*tree);
    if (bytes == nullptr && history_.base != nullptr) bytes = history_.base->trees.find(*tree);
    if (bytes == nullptr) return false;
    bool affordable = true;
    const auto read = read_tree(*bytes, history_.graph.format(), [&](const TreeEntry& entry) {
      affordable = affordable && history_.effort.spend(1);
      if (affordable) names[std::string(entry.name)].*which = Side{ObjectKey::of_raw(entry.id), entry.mode};
    });
    return read && affordable;
  }

  // A tree that a glob names itself counts as well: it may have become a file, or a link. So does a link in place of a
  // folder above.
  bool note(const std::string& path, const std::string& alias, const Sides& sides) {
    const auto names = [&](const PathGlob& glob) { return glob.matches(alias, policy::Case::ignored); };
    const bool away = (leads_away(sides.first) || leads_away(sides.second)) && aliases_.is_folder(alias);
    if (away || std::any_of(globs_.begin(), globs_.end(), names)) changed.insert(path);
    return changed.size() <= kMaxChangedPaths;
  }

  const PushedHistory& history_;
  std::span<const PathGlob> globs_;
  const PathAliases& aliases_;
};

}  // namespace

bool TreeStore::add(std::string_view id, std::string_view bytes) {
  if (!room_->take(kTableEntryBytes + sizeof(ObjectKey) + sizeof(std::string) + bytes.size())) overflowed_ = true;
  if (overflowed_) return false;
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

PathChanges changes_by_commits(const PushedHistory& history, std::span<const PathGlob> globs) {
  const PathAliases aliases(globs);
  const History commits(history.graph, history.base, history.effort);
  PathChanges changes;
  for (const auto& entry : history.graph.commits()) {
    const auto& commit = entry.second;
    std::optional<std::set<std::string>> changed;  // against every parent
    bool proved = !history.trees.overflowed();
    const auto against = [&](const std::optional<ObjectKey>& base) {
      Comparison comparison(history, globs, aliases);
      proved = proved && history.effort.spend(1) && comparison.compare(base, commit.tree);
      if (!changed) {
        changed = std::move(comparison.changed);
      } else {
        std::erase_if(*changed, [&](const std::string& path) { return !comparison.changed.contains(path); });
      }
    };
    if (commit.parents.empty()) against(std::nullopt);
    for (const auto& parent : commit.parents) {
      const auto* before = commits.find(parent);
      const bool pushed = history.graph.commits().contains(parent);
      proved = proved && before != nullptr && (pushed || history.base->is_rooted(parent));
      if (proved) against(before->tree);
    }
    if (changes.unproved.size() + changes.changed.size() > kMaxChangedPaths) break;  // one is enough to refuse it
    if (!proved) changes.unproved.insert(entry.first.hex(history.graph.format()));
    if (proved && changed) changes.changed.merge(*changed);
  }
  return changes;
}

PathChanges changes_by_ref(const PushedHistory& history, const git::RefCommand& command,
                           std::span<const PathGlob> globs) {
  PathChanges changes;
  if (command.removes()) return changes;
  const History commits(history.graph, history.base, history.effort);
  const auto tip = commits.commit_of(command.new_id);
  const auto* after = commits.find(tip);
  const bool pushed = history.graph.commits().contains(tip);
  const auto unproved = [&] {
    changes.unproved.insert(command.new_id);
    return changes;
  };
  if (after == nullptr || (!pushed && !history.base->is_rooted(tip))) return unproved();
  if (command.creates()) return changes;
  if (history.base == nullptr) return unproved();
  // Where the ref is now the remote says, and whoever pushes must know it.
  const auto now = history.base->refs.tips.find(command.ref);
  if (now == history.base->refs.tips.end() || now->second.id != command.old_id) return unproved();
  const PathAliases aliases(globs);
  const auto against = [&](std::string_view id) -> std::optional<std::set<std::string>> {
    const auto* before = id.empty() ? nullptr : commits.find(ObjectKey::of_hex(id));
    Comparison comparison(history, globs, aliases);
    if (before == nullptr || !comparison.compare(before->tree, after->tree)) return std::nullopt;
    return std::move(comparison.changed);
  };
  auto changed = against(now->second.leads_to);
  if (changed && changed->empty()) return changes;
  const auto from_head = against(history.base->refs.head);
  if (from_head && from_head->empty()) return changes;
  if (!changed) return unproved();
  changes.changed = std::move(*changed);
  return changes;
}

}  // namespace gatehouse::git_gate
