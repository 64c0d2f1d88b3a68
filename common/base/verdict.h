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

// A verdict with its cause. A default-constructed one denies.
struct Decision {
  Verdict verdict = Verdict::deny;
  std::string rule_id = "default-deny";  // the policy rule, or a built-in id such as "default-deny", "address.private"
  std::string reason = "no rule allows this";  // plain words an agent can act on; never a secret

  bool allowed() const { return verdict == Verdict::allow; }
};

}  // namespace gatehouse
