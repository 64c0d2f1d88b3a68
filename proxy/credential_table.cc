#include "proxy/credential_table.h"

#include "proxy/credential_forms.h"

namespace gatehouse::proxy {

Result<CredentialTable> CredentialTable::create(const policy::Policy& policy, const CredentialValues& values) {
  CredentialTable table;
  for (const auto& rule : policy.credentials()) {
    const auto* value = values.find(rule.secret);
    if (value == nullptr)
      return fail("no value was given for the secret {}, which the policy sends to hosts", rule.secret);
    if (value->placeholder.empty()) return fail("the secret {} has no placeholder", rule.secret);
    if (auto ok = rule.check_value(value->bytes.view()); !ok) return failed(ok, "secret " + rule.secret);
    BoundCredential bound{rule, value, {}};
    const auto add = [&](std::string form) -> Result<void> {
      const WipedText wiped(std::move(form));
      if (wiped.text() == value->bytes.view()) return {};
      auto kept = SecretBytes::copy_of(wiped.text());
      if (!kept) return failed(kept);
      bound.echoes.push_back(std::move(*kept));
      return {};
    };
    if (auto ok = add(percent_encoded(value->bytes.view())); !ok) return failed(ok);
    for (const bool slashes : {false, true}) {
      if (auto ok = add(json_escaped(value->bytes.view(), slashes)); !ok) return failed(ok);
    }
    table.bound_.push_back(std::move(bound));
  }
  return table;
}

std::vector<const BoundCredential*> CredentialTable::bound_to(const Target& target) const {
  std::vector<const BoundCredential*> found;
  for (const auto& bound : bound_) {
    if (bound.rule.goes_to(to_string(target.scheme), target.host, target.port)) found.push_back(&bound);
  }
  return found;
}

}  // namespace gatehouse::proxy
