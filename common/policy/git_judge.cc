// What git rules come to. As everywhere the strictest rule that matches wins, layer by layer; what a rule demands of a
// push (protected refs, unchanged paths, authors, bounds) holds for every push to the remotes it names, whichever rule
// lets the ref through.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/base/log.h"
#include "common/policy/compiled.h"
#include "common/policy/git_words.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kBranch = "refs/heads/";
constexpr std::string_view kTag = "refs/tags/";
constexpr size_t kMaxShownBytes = 100;

bool any_matches(const std::vector<PathGlob>& globs, std::string_view name, Case letters) {
  const std::string path = fmt::format("/{}", name);
  return std::any_of(globs.begin(), globs.end(), [&](const PathGlob& glob) { return glob.matches(path, letters); });
}

std::string shown(const GitRemote& remote) {
  return fmt::format("https://{}{}{}", remote.host, remote.port == 443 ? "" : fmt::format(":{}", remote.port),
                     log::printable(remote.path, kMaxShownBytes));
}

// "branch 'main'", "tag 'v1'", "ref 'refs/notes/x'".
std::string words_of(std::string_view ref) {
  if (ref.starts_with(kBranch))
    return fmt::format("branch '{}'", log::printable(ref.substr(kBranch.size()), kMaxShownBytes));
  if (ref.starts_with(kTag)) return fmt::format("tag '{}'", log::printable(ref.substr(kTag.size()), kMaxShownBytes));
  return fmt::format("ref '{}'", log::printable(ref, kMaxShownBytes));
}

// Of one rule: what stands against the update, as a built-in rule and words; an empty rule when nothing does.
struct Objection {
  std::string_view rule;
  std::string words;
};

Objection objection(const GitPush& push, const RefUpdate& update) {
  const bool branch = update.ref.starts_with(kBranch);
  const bool tag = update.ref.starts_with(kTag);
  if (!branch && !tag) return {"git.ref", "only branches and tags may be pushed"};
  const auto& globs = branch ? push.branches : push.tags;
  if (!any_matches(globs, update.ref.substr(branch ? kBranch.size() : kTag.size()), Case::told_apart)) {
    return {branch ? "git.branch" : "git.tag",
            fmt::format("only {} may be pushed: {}", branch ? "branches" : "tags", glob_words(globs))};
  }
  switch (update.kind) {
    case RefUpdate::Kind::create:
      if (!push.create) return {"git.create", "refs may not be made"};
      break;
    case RefUpdate::Kind::update:
      if (!push.update) return {"git.update", "refs that are there may not be changed"};
      if (update.forced && !push.force) {
        return {"git.force",
                "it is no fast-forward that the pushed commits prove (rebase onto the remote's branch and "
                "push all commits since, without --force)"};
      }
      break;
    case RefUpdate::Kind::remove:
      if (!push.remove) return {"git.delete", "refs may not be removed"};
      break;
  }
  return {};
}

bool protects(const GitPush& push, std::string_view ref) {
  for (const auto prefix : {kBranch, kTag}) {
    if (ref.starts_with(prefix) && any_matches(push.protects, ref.substr(prefix.size()), Case::ignored)) return true;
  }
  return false;
}

void narrow(GitTerms::Bound& bound, const std::optional<uint64_t>& said, const std::string& rule) {
  if (said && (bound.rule.empty() || *said < bound.value)) bound = {*said, rule};
}

// What one layer says of one ref.
struct LayerAnswer {
  std::optional<Decision> decision;
  std::string_view rule = "default-deny";  // when there is none: what stood against it
  std::string words;
};

LayerAnswer judge_in(const CompiledLayer& layer, const GitRemote& remote, const RefUpdate& update) {
  LayerAnswer answer;
  answer.words = "; no git rule names this remote";
  const auto take = [&](Decision decision) {
    if (!answer.decision || decision.verdict > answer.decision->verdict) answer.decision = std::move(decision);
  };
  for (const auto& matcher : layer.git) {
    const GitRule& rule = *matcher.rule;
    if (!rule.names(remote)) continue;
    if (rule.action == Verdict::deny) take(matcher.decision);
    if (!rule.push) continue;
    if (protects(*rule.push, update.ref)) {
      take({Verdict::deny, "git.protected",
            fmt::format("{} is protected by {}", words_of(update.ref), describe_rule(layer.layer, rule.id))});
    }
    auto against = objection(*rule.push, update);
    if (against.rule.empty()) {
      take(matcher.decision);
    } else {
      answer.rule = against.rule;
      answer.words = fmt::format(": by rule '{}' {}", rule.id, against.words);
    }
  }
  return answer;
}

}  // namespace

std::string glob_words(const std::vector<PathGlob>& globs) {
  std::vector<std::string_view> words;
  for (const auto& glob : globs) words.push_back(std::string_view(glob.text()).substr(1));
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

std::string place_words(const Exemption& exemption) {
  constexpr size_t kShownIdBytes = 12;
  std::vector<std::string> remotes, places;
  for (const auto& remote : exemption.remotes) remotes.push_back(remote.text);
  if (!exemption.paths.empty()) places.push_back(glob_words(exemption.paths));
  for (const auto& object : exemption.objects) places.push_back("object " + object.substr(0, kShownIdBytes));
  return fmt::format("{}: {}", fmt::join(remotes, ", "), fmt::join(places, ", "));
}

std::string unmatched_words(const CompiledLayer& layer, const GitRemote& remote, GitService service) {
  const bool reads = service == GitService::fetch || service == GitService::lfs;
  const std::string_view what = reads ? "fetched from" : "pushed to";
  for (const auto& matcher : layer.git) {
    if (matcher.rule->names(remote) && matcher.rule->action != Verdict::deny) {
      return fmt::format("no rule of policy '{}' lets {} be {}; rule '{}' names it, but not for that", layer.layer.name,
                         shown(remote), what, matcher.rule->id);
    }
  }
  return fmt::format("no rule of policy '{}' lets {} be {}; no git rule names it", layer.layer.name, shown(remote),
                     what);
}

bool RemotePattern::matches(const GitRemote& remote, Case letters) const {
  return remote.port == port && host.matches(remote.host) && path.matches(remote.path, letters);
}

bool GitRule::names(const GitRemote& remote) const {
  const auto letters = action == Verdict::deny ? Case::ignored : Case::told_apart;
  return std::any_of(remotes.begin(), remotes.end(),
                     [&](const RemotePattern& pattern) { return pattern.matches(remote, letters); });
}

bool GitMatcher::resolves(std::string_view name) const {
  return decision.verdict != Verdict::deny &&
         std::any_of(rule->remotes.begin(), rule->remotes.end(),
                     [name](const RemotePattern& remote) { return remote.host.matches(name); });
}

const Decision* CompiledLayer::judge(const GitRemote& remote, GitService service) const {
  const Decision* strictest = nullptr;
  for (const auto& matcher : git) {
    const GitRule& rule = *matcher.rule;
    const bool reads = service == GitService::fetch || service == GitService::lfs;
    const bool lets = rule.push && (service != GitService::lfs_upload || rule.push->lfs);
    const bool says = reads ? rule.fetch : rule.action == Verdict::deny || lets;
    if (!says || !rule.names(remote)) continue;
    const Decision& decision = service == GitService::push_refs ? matcher.opening : matcher.decision;
    if (strictest == nullptr || decision.verdict > strictest->verdict) strictest = &decision;
  }
  return strictest;
}

Decision Policy::judge(const GitRemote& remote, const RefUpdate& update) const {
  std::optional<Decision> strictest;
  std::optional<Decision> unmatched;
  for (const auto& layer : compiled_->layers) {
    auto answer = judge_in(*layer, remote, update);
    if (answer.decision) {
      if (!strictest || answer.decision->verdict > strictest->verdict) strictest = std::move(answer.decision);
    } else if ((!layer->layer.pass_unmatched || answer.rule != Decision{}.rule_id) && !unmatched) {
      unmatched = Decision{Verdict::deny, std::string(answer.rule),
                           fmt::format("policy '{}' does not let {} be {}{}", layer->layer.name, words_of(update.ref),
                                       update.kind == RefUpdate::Kind::remove   ? "removed"
                                       : update.kind == RefUpdate::Kind::create ? "made"
                                       : update.forced                          ? "overwritten"
                                                                                : "changed",
                                       answer.words)};
    }
  }
  if (strictest && (!unmatched || strictest->verdict == Verdict::deny)) return std::move(*strictest);
  return unmatched ? std::move(*unmatched) : Decision{};
}

Decision Policy::judge_lfs_upload(const GitRemote& remote) const {
  Decision strictest{Verdict::allow, {}, {}};
  for (const auto& layer : compiled_->layers) {
    const Decision* said = layer->judge(remote, GitService::lfs_upload);
    if (said == nullptr && layer->layer.pass_unmatched) continue;
    if (said == nullptr) return {Verdict::deny, "git.lfs", std::string(kNoLfsUpload)};
    if (strictest.rule_id.empty() || said->verdict > strictest.verdict) strictest = *said;
  }
  return strictest.rule_id.empty() ? Decision{Verdict::deny, "git.lfs", std::string(kNoLfsUpload)} : strictest;
}

GitTerms Policy::git_terms(const GitRemote& remote) const {
  GitTerms terms;
  for (const auto& layer : compiled_->layers) {
    for (const auto& matcher : layer->git) {
      const GitRule& rule = *matcher.rule;
      if (!rule.push || !rule.names(remote)) continue;
      const GitPush& push = *rule.push;
      narrow(terms.objects, push.objects, rule.id);
      narrow(terms.pack_bytes, push.pack_bytes, rule.id);
      narrow(terms.file_bytes, push.file_bytes, rule.id);
      const auto note = [&rule](bool said, std::string& by) {
        if (said && by.empty()) by = rule.id;
      };
      note(!push.push_options, terms.no_push_options_by);
      note(push.signature == SignedPush::denied, terms.unsigned_by);
      note(push.signature == SignedPush::required, terms.signed_by);
      note(push.atomic, terms.atomic_by);
      if (push.unchanged) terms.unchanged.push_back({*push.unchanged, rule.id});
      const std::vector<HostPattern> own = {{HostPattern::Kind::exact, std::string(remote.host)}};
      terms.submodules.push_back({push.submodules.value_or(own), rule.id});
      terms.lfs.push_back({push.lfs_hosts.value_or(own), rule.id});
      if (push.authors) terms.authors.push_back({*push.authors, rule.id});
      if (push.trailers) terms.trailers.push_back({*push.trailers, rule.id});
    }
  }
  return terms;
}

bool Policy::lets_push() const {
  return std::any_of(compiled_->layers.begin(), compiled_->layers.end(), [](const auto& layer) {
    return std::any_of(layer->git.begin(), layer->git.end(), [](const auto& matcher) { return matcher.rule->push; });
  });
}

std::vector<std::string> Policy::git_hosts() const {
  std::set<std::string> hosts;
  for (const auto& layer : compiled_->layers) {
    for (const auto& rule : layer->layer.git) {
      for (const auto& remote : rule.remotes) {
        if (rule.action == Verdict::deny || remote.host.kind != HostPattern::Kind::exact) continue;
        hosts.insert(remote.port == 443 ? "https://" + remote.host.name
                                        : fmt::format("https://{}:{}", remote.host.name, remote.port));
      }
    }
  }
  return {hosts.begin(), hosts.end()};
}

}  // namespace gatehouse::policy
