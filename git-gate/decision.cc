#include "git-gate/decision.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::git_gate {

namespace {

constexpr size_t kMaxToldLines = 20;  // of one kind
constexpr size_t kShortIdBytes = 12;
constexpr std::string_view kAnotherRef = "git.another-ref";
constexpr std::string_view kNotScanned = "[not scanned]";
constexpr std::string_view kNothingSent = "Gatehouse refused this push. Nothing of it was sent.\n";

policy::RefUpdate update_of(const git::RefCommand& command, const Evidence& evidence, Effort& effort) {
  policy::RefUpdate update{command.ref, policy::RefUpdate::Kind::update};
  if (command.creates()) update.kind = policy::RefUpdate::Kind::create;
  if (command.removes()) update.kind = policy::RefUpdate::Kind::remove;
  if (update.kind == policy::RefUpdate::Kind::update) {
    const History history(evidence.scan.graph(), evidence.base, effort);
    // A tag that moves is never an ordinary update.
    update.forced = !command.ref.starts_with("refs/heads/") || !history.proves_forward(command.old_id, command.new_id);
  }
  return update;
}

std::string hidden(std::string_view ref) { return log::printable(ref.substr(0, ref.find('/', 5) + 1)) + "***"; }

// Of a finding in a file: what is in a name is in no file, whichever has that name.
std::string_view file_path(const git::PushFinding& found) {
  return found.finding.location == "file" || found.finding.location.starts_with("file/") ? found.path
                                                                                         : std::string_view();
}

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

void complain_of_paths(const policy::GitTerms& terms, const git::PushHead& head, const Evidence& evidence,
                       Effort& effort, std::vector<Complaint>& complaints) {
  const PushedHistory history{evidence.scan.graph(), evidence.scan.trees(), evidence.base, effort};
  std::string why = "what it builds on is not known";
  if (evidence.base != nullptr) {
    why = evidence.base->why.empty() ? "what it builds on is in no branch or tag of the remote, or the ref has moved on"
                                     : evidence.base->why;
  }
  for (const auto& [globs, rule] : terms.unchanged) {
    auto changes = changes_by_commits(history, globs);
    for (const auto& command : head.commands) {
      auto more = changes_by_ref(history, command, globs);
      changes.changed.merge(more.changed);
      changes.unproved.merge(more.unproved);
    }
    for (const auto& path : changes.changed) {
      complaints.push_back({"git.path",
                            fmt::format("'{}' may not change, says rule '{}'",
                                        evidence.scan.shown_path(std::string_view(path).substr(1)), rule),
                            {}});
    }
    if (evidence.takes_unproved) continue;
    for (const auto& commit : changes.unproved) {
      complaints.push_back(
          {"git.path-unproved",
           fmt::format("rule '{}' protects paths, and nothing proves that this leaves them as they are: {}", rule, why),
           commit});
    }
  }
}

// How it is pushed, whatever is in it.
void complain_of_form(const git::PushQuestion& question, const git::PushHead& head, const policy::GitTerms& terms,
                      std::vector<Complaint>& complaints) {
  const auto complain = [&](bool holds, std::string_view rule, std::string_view words, const std::string& by) {
    if (!holds || by.empty() || head.commands.empty()) return;
    complaints.push_back({std::string(rule), fmt::format("rule '{}' {}", by, words), {}});
  };
  const auto& certificate = head.certificate;
  complain(!head.options.empty(), "git.push-option", "lets no push options pass", terms.no_push_options_by);
  complain(certificate.has_value(), "git.signed", "lets no signed push pass; push without --signed", terms.unsigned_by);
  complain(!certificate, "git.signed", "lets signed pushes pass alone; push with --signed", terms.signed_by);
  complain(head.commands.size() > 1 && !head.capabilities.atomic, "git.atomic",
           "lets several refs pass only together; push with --atomic", terms.atomic_by);
  if (certificate && !git::is_pushee(certificate->pushee, question.host, question.port, question.repository)) {
    complaints.push_back({"git.certificate", "its pushee is not the remote that is pushed to", {}});
  }
}

// The decision on each ref by itself.
std::vector<git::RefVerdict> judge_refs(const policy::Policy& policy, const git::PushQuestion& question,
                                        const git::PushHead& head, const Evidence& evidence, Effort& effort) {
  const policy::GitRemote remote{question.host, question.port, question.repository};
  std::vector<git::RefVerdict> refs;
  for (const auto& command : head.commands) {
    auto update = update_of(command, evidence, effort);
    git::RefVerdict verdict{command, update.forced, {}};
    if (evidence.takes_unproved && command.ref.starts_with("refs/heads/")) update.forced = false;
    verdict.decision = policy.judge(remote, update);
    if (evidence.scan.is_tainted_ref(command.ref)) {
      verdict.command.ref = hidden(command.ref);
      if (!verdict.decision.allowed()) verdict.decision.reason = "the name of this ref holds what must not leave";
    }
    refs.push_back(std::move(verdict));
  }
  return refs;
}

}  // namespace

git::PushVerdict refusal(const git::PushHead& head, std::string rule, std::string reason, const ObjectScan* scan) {
  git::PushVerdict verdict;
  verdict.decision = {Verdict::deny, std::move(rule), std::move(reason)};
  const bool seen = scan != nullptr && !scan->scanner_error();
  for (auto command : head.commands) {
    if (!seen) command.ref = kNotScanned;
    if (seen && scan->is_tainted_ref(command.ref)) command.ref = hidden(command.ref);
    verdict.refs.push_back({std::move(command), false, verdict.decision});
  }
  verdict.text = fmt::format("{}  {}: {}\n{}\n", kNothingSent, verdict.decision.rule_id, verdict.decision.reason,
                             remedy(verdict.decision.rule_id));
  return verdict;
}

std::vector<git::PushFinding> judged_findings(const policy::Policy& policy, const git::PushQuestion& question,
                                              const ObjectScan& scan) {
  return scan.findings([&](const git::PushFinding& found) {
    const auto& finding = found.finding;
    return policy.judge(policy::FindingQuestion{
        finding.rule, finding.category, finding.severity, question.host,
        policy::GitPlace{{question.host, question.port, question.repository}, found.object, file_path(found)}});
  });
}

git::PushVerdict decide(const policy::Policy& policy, const git::PushQuestion& question, const git::PushHead& head,
                        const policy::GitTerms& terms, const Evidence& evidence) {
  const auto& scan = evidence.scan;
  if (scan.scanner_error()) {
    return refusal(head, "dlp.unavailable",
                   "this cannot be scanned, and what is not scanned does not pass: " +
                       log::printable(scan.scanner_error()->message()),
                   &scan);
  }
  git::PushVerdict verdict;
  verdict.objects = scan.objects();
  verdict.findings = judged_findings(policy, question, scan);
  Effort effort;
  verdict.refs = judge_refs(policy, question, head, evidence, effort);
  auto complaints = scan.complaints();
  complain_of_paths(terms, head, evidence, effort, complaints);
  complain_of_form(question, head, terms, complaints);

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
