// What a policy says of a request, and what the audit log keeps of it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace gatehouse {

// Ordered by strictness: the strictest of several verdicts wins (stricter()).
enum class Verdict { allow, ask, deny };

constexpr std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return "allow";
    case Verdict::ask:
      return "ask";
    case Verdict::deny:
      return "deny";
  }
  return "deny";
}

constexpr Verdict stricter(Verdict a, Verdict b) { return std::max(a, b); }

// What becomes of something the scanner found, ordered by strictness.
enum class FindingAction {
  exempt,  // the policy says it may go, at this host
  warn,    // it goes, and leaves a row
  redact,  // its bytes are overwritten, the rest goes
  deny,
};

constexpr std::string_view to_string(FindingAction action) {
  switch (action) {
    case FindingAction::exempt:
      return "exempt";
    case FindingAction::warn:
      return "warn";
    case FindingAction::redact:
      return "redact";
    case FindingAction::deny:
      return "deny";
  }
  return "deny";
}

// A verdict with its cause. A default-constructed one denies.
struct Decision {
  Verdict verdict = Verdict::deny;
  std::string rule_id = "default-deny";  // the policy rule, or a built-in id such as "default-deny", "address.private"
  std::string reason = "no rule allows this";  // plain words an agent can act on; never a secret

  bool allowed() const { return verdict == Verdict::allow; }
};

}  // namespace gatehouse
