#include "git-gate/decision.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::git_gate {

namespace {

constexpr size_t kMaxToldLines = 20;  // of one kind
constexpr size_t kShortIdBytes = 12;
constexpr std::string_view kAnotherRef = "git.another-ref";
constexpr std::string_view kNothingSent = "Gatehouse refused this push. Nothing of it was sent.\n";

policy::RefUpdate update_of(const git::RefCommand& command, const PackGraph& graph) {
  policy::RefUpdate update{command.ref, policy::RefUpdate::Kind::update};
  if (command.creates()) update.kind = policy::RefUpdate::Kind::create;
  if (command.removes()) update.kind = policy::RefUpdate::Kind::remove;
  if (update.kind == policy::RefUpdate::Kind::update) {
    // A tag that moves is never an ordinary update.
    update.forced = !command.ref.starts_with("refs/heads/") || !graph.proves_forward(command.old_id, command.new_id);
  }
  return update;
}

std::string hidden(std::string_view ref) { return log::printable(ref.substr(0, ref.find('/', 5) + 1)) + "***"; }

// What is to be done about a kind of refusal.
std::string_view remedy(std::string_view rule) {
  if (rule.starts_with("dlp.")) {
    return "Take it out of every commit, tag and name that this push carries (git rebase -i, git commit --amend, git "
           "tag "
           "-d), not only out of the newest one; do not encode or split it. If it must go there, ask the operator for "
           "an "
           "exemption.";
  }
  if (rule == "git.path" || rule == "git.path-unproved") {
    return "Leave those paths as they are on the remote; ask the operator if they must change.";
  }
  if (rule == "git.identity" || rule == "git.trailer")
    return "Rewrite the commits (git rebase -i, git commit --amend) and push again.";
  if (rule == "git.submodule" || rule == "git.lfs") return "Use a host that the policy names, or ask the operator.";
  if (rule == "git.pack" || rule == "git.malformed" || rule == "git.object")
    return "Check the repository with git fsck.";
  return "Push what the policy lets be pushed, or ask the operator of this sandbox.";
}

template <class List, class Line>
void tell(std::string& text, const List& list, Line line) {
  size_t told = 0;
  for (const auto& one : list) {
    if (told++ == kMaxToldLines) break;
    text += "  " + line(one) + "\n";
  }
  if (list.size() > kMaxToldLines) text += fmt::format("  ... and {} more\n", list.size() - kMaxToldLines);
}

void complain_of_paths(const policy::GitTerms& terms, const ObjectScan& scan, const std::vector<git::RefVerdict>& refs,
                       std::vector<Complaint>& complaints) {
  for (const auto& [globs, rule] : terms.unchanged) {
    // What a ref is taken back to, or away to, may be anything that was there once, or a history without those paths.
    for (const auto& ref : refs) {
      if (!ref.forced) continue;
      complaints.push_back({"git.path-unproved",
                            fmt::format("rule '{}' protects paths, and nothing in this push proves that what is no "
                                        "fast-forward leaves them as they are",
                                        rule),
                            ref.command.new_id});
    }
    const auto changes = find_changes(scan.graph(), scan.trees(), globs);
    for (const auto& path : changes.changed) {
      complaints.push_back(
          {"git.path",
           fmt::format("'{}' may not change, says rule '{}'", scan.shown_path(std::string_view(path).substr(1)), rule),
           {}});
    }
    for (const auto& commit : changes.unproved) {
      complaints.push_back(
          {"git.path-unproved",
           fmt::format("rule '{}' protects paths, and nothing in this push proves that the commit leaves "
                       "them as they are: what it follows is not in the push",
                       rule),
           commit});
    }
  }
}

// The decision on each ref by itself.
std::vector<git::RefVerdict> judge_refs(const policy::Policy& policy, const git::PushQuestion& question,
                                        const git::PushHead& head, const ObjectScan& scan) {
  const policy::GitRemote remote{question.host, question.port, question.repository};
  std::vector<git::RefVerdict> refs;
  for (const auto& command : head.commands) {
    const auto update = update_of(command, scan.graph());
    git::RefVerdict verdict{command, update.forced, policy.judge(remote, update)};
    if (scan.is_tainted_ref(command.ref)) {
      verdict.command.ref = hidden(command.ref);
      if (!verdict.decision.allowed()) verdict.decision.reason = "the name of this ref holds what must not leave";
    }
    refs.push_back(std::move(verdict));
  }
  return refs;
}

}  // namespace

git::PushVerdict refusal(const git::PushHead& head, std::string rule, std::string reason) {
  git::PushVerdict verdict;
  verdict.decision = {Verdict::deny, std::move(rule), std::move(reason)};
  for (const auto& command : head.commands) verdict.refs.push_back({command, false, verdict.decision});
  verdict.text = fmt::format("{}  {}: {}\n{}\n", kNothingSent, verdict.decision.rule_id, verdict.decision.reason,
                             remedy(verdict.decision.rule_id));
  return verdict;
}

git::PushVerdict decide(const policy::Policy& policy, const git::PushQuestion& question, const git::PushHead& head,
                        const policy::GitTerms& terms, const ObjectScan& scan) {
  if (scan.scanner_error()) {
    return refusal(head, "dlp.unavailable",
                   "this cannot be scanned, and what is not scanned does not pass: " +
                       log::printable(scan.scanner_error()->message()));
  }
  git::PushVerdict verdict;
  verdict.objects = scan.objects();
  verdict.findings = scan.findings();
  verdict.refs = judge_refs(policy, question, head, scan);
  auto complaints = scan.complaints();
  complain_of_paths(terms, scan, verdict.refs, complaints);
  if (!head.options.empty() && !terms.push_options) {
    complaints.push_back(
        {"git.push-option", fmt::format("rule '{}' lets no push options pass", terms.no_push_options_by), {}});
  }

  std::vector<const git::PushFinding*> denying;
  for (const auto& found : verdict.findings) {
    if (found.finding.action == FindingAction::deny) denying.push_back(&found);
  }
  std::vector<const git::RefVerdict*> refused;
  const git::RefVerdict* asking = nullptr;
  for (const auto& ref : verdict.refs) {
    if (ref.decision.verdict == Verdict::deny) refused.push_back(&ref);
    if (ref.decision.verdict == Verdict::ask) asking = &ref;
  }
  if (denying.empty() && complaints.empty() && refused.empty()) {
    verdict.decision = {Verdict::allow, "git", "every ref may be pushed"};
    if (!verdict.refs.empty()) verdict.decision = asking != nullptr ? asking->decision : verdict.refs.front().decision;
    return verdict;
  }

  verdict.text = kNothingSent;
  const auto finding_line = [](const git::PushFinding* found) {
    return fmt::format("dlp.{}: {} in {}", found->finding.rule, dlp::describe(found->finding), git::place_of(*found));
  };
  const auto complaint_line = [](const Complaint& complaint) {
    return fmt::format(
        "{}: {}{}", complaint.rule, complaint.reason,
        complaint.object.empty() ? "" : fmt::format(" (object {})", complaint.object.substr(0, kShortIdBytes)));
  };
  tell(verdict.text, denying, finding_line);
  tell(verdict.text, complaints, complaint_line);
  tell(verdict.text, refused,
       [](const git::RefVerdict* ref) { return fmt::format("{}: {}", ref->decision.rule_id, ref->decision.reason); });
  verdict.decision.verdict = Verdict::deny;
  if (!denying.empty()) {
    verdict.decision.rule_id = "dlp." + denying.front()->finding.rule;
    verdict.decision.reason =
        fmt::format("found {} in {}", dlp::describe(denying.front()->finding), git::place_of(*denying.front()));
  } else if (!complaints.empty()) {
    verdict.decision.rule_id = complaints.front().rule;
    verdict.decision.reason = complaint_line(complaints.front()).substr(complaints.front().rule.size() + 2);
  } else {
    verdict.decision = refused.front()->decision;
  }
  verdict.text.append(remedy(verdict.decision.rule_id)).append("\n");
  // What is refused for no fault of its own is so because all or nothing goes.
  const bool whole = !denying.empty() || !complaints.empty();
  for (auto& ref : verdict.refs) {
    if (ref.decision.verdict == Verdict::deny) continue;
    ref.decision = whole ? verdict.decision
                         : Decision{Verdict::deny, std::string(kAnotherRef), "not pushed: another ref was refused"};
  }
  return verdict;
}

}  // namespace gatehouse::git_gate
