#include "git-gate/base.h"

#include <algorithm>

namespace gatehouse::git_gate {

namespace {

using Keys = std::unordered_set<ObjectKey, ObjectKeyHash>;

// Calls `use` for each commit of the history of `start`, and for those it ends with because they are not known.
template <class Find, class Use>
void walk(std::vector<ObjectKey> left, Keys& seen, Find find, Use use) {
  while (!left.empty()) {
    const ObjectKey key = left.back();
    left.pop_back();
    if (!seen.insert(key).second) continue;
    const PackGraph::CommitFacts* commit = find(key);
    if (!use(key, commit != nullptr)) return;
    if (commit != nullptr) left.insert(left.end(), commit->parents.begin(), commit->parents.end());
  }
}

const PackGraph::CommitFacts* find_in(const PackGraph& graph, const ObjectKey& key) {
  const auto found = graph.commits().find(key);
  return found == graph.commits().end() ? nullptr : &found->second;
}

// The commits of the remote that `tip` follows, or is.
std::vector<std::string> followed_by(const PackGraph& pushed, const ObjectKey& tip, Effort& effort) {
  std::vector<std::string> ends;
  Keys seen;
  walk(
      {tip}, seen, [&](const ObjectKey& key) { return find_in(pushed, key); },
      [&](const ObjectKey& key, bool known) {
        if (!known) ends.push_back(key.hex(pushed.format()));
        return effort.spend(1);
      });
  return ends;
}

}  // namespace

bool BaseWanted::too_many() const {
  size_t ids = trees.size() + refs.size() + 1;
  for (const auto& one : forward) ids = std::max(ids, one.follows.size());
  return ids > git::kMaxFetchIds || forward.size() > git::kMaxFetchIds;
}

BaseWanted wanted_base(const git::PushHead& head, const policy::GitTerms& terms, const PackGraph& pushed) {
  BaseWanted wanted;
  Effort effort;
  const History history(pushed, nullptr, effort);
  Keys compared;
  const auto compare_with = [&](const ObjectKey& key) {
    if (!pushed.commits().contains(key) && compared.insert(key).second)
      wanted.trees.push_back(key.hex(pushed.format()));
  };
  if (!terms.unchanged.empty()) {
    for (const auto& entry : pushed.commits()) {
      for (const auto& parent : entry.second.parents) compare_with(parent);
    }
  }
  for (const auto& command : head.commands) {
    if (command.removes()) continue;
    const auto tip = history.commit_of(command.new_id);
    if (!terms.unchanged.empty()) {
      compare_with(tip);
      if (!command.creates()) wanted.refs.push_back(command.ref);
    }
    const bool branch = command.ref.starts_with("refs/heads/");
    if (wanted.too_many()) break;
    if (command.creates() || !branch || history.proves_forward(command.old_id, command.new_id)) continue;
    auto follows = followed_by(pushed, tip, effort);
    if (!follows.empty()) wanted.forward.push_back({command.ref, command.old_id, std::move(follows)});
  }
  return wanted;
}

void Base::find_rooted() {
  std::vector<ObjectKey> tips;
  for (const auto& entry : refs.tips) tips.push_back(ObjectKey::of_hex(entry.second.leads_to));
  rooted_.clear();
  walk(
      std::move(tips), rooted_, [&](const ObjectKey& key) { return find_in(graph, key); },
      [](const ObjectKey&, bool) { return true; });
}

const PackGraph::CommitFacts* History::find(const ObjectKey& commit) const {
  const auto* found = find_in(pushed_, commit);
  return found != nullptr || base_ == nullptr ? found : find_in(base_->graph, commit);
}

ObjectKey History::commit_of(std::string_view id) const {
  Keys seen;
  ObjectKey key = ObjectKey::of_hex(id);
  while (seen.insert(key).second) {
    const auto tag = pushed_.tags().find(key);
    if (tag == pushed_.tags().end()) break;
    key = tag->second;
  }
  return key;
}

bool History::proves_forward(std::string_view old_id, std::string_view new_id) const {
  const ObjectKey wanted = ObjectKey::of_hex(old_id);
  bool found = false;
  Keys seen;
  walk(
      {commit_of(new_id)}, seen, [&](const ObjectKey& key) { return find(key); },
      [&](const ObjectKey& key, bool) {
        found = found || key == wanted;
        return !found && effort_.spend(1);
      });
  return found;
}

}  // namespace gatehouse::git_gate
