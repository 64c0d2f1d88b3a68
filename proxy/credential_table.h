// Which secrets go to which hosts: the policy's words with the values behind them.
#pragma once

#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "proxy/credential_values.h"
#include "proxy/outside.h"

namespace gatehouse::proxy {

struct BoundCredential {
  policy::Credential rule;
  const CredentialValue* value = nullptr;
  // As a server may write it in an answer, where that is another text: with percent signs, within JSON.
  std::vector<SecretBytes> echoes;
};

// Immutable, and shared by all threads.
class CredentialTable {
 public:
  CredentialTable() = default;

  // `values` outlives the table. Refused: a credential of the policy without a value, or with one that cannot stand
  // where it is to.
  static Result<CredentialTable> create(const policy::Policy& policy, const CredentialValues& values);

  // Those that go there. They live as long as the table.
  std::vector<const BoundCredential*> bound_to(const Target& target) const;
  bool empty() const { return bound_.empty(); }

 private:
  std::vector<BoundCredential> bound_;
};

}  // namespace gatehouse::proxy
