// For tests: a policy's credentials, with made-up values.
#pragma once

#include <gmock/gmock.h>

#include "proxy/credential_injection.h"

namespace gatehouse::proxy {

// "VALUE-of-T" for the secret T, and what stands for it in the guest.
inline std::string value_of(const std::string& name) { return "v4lue/of+" + name; }
inline std::string placeholder_of(const std::string& name) {
  return "gatehouse-placeholder-" + name + "-00112233445566778899aabbccddeeff";
}

class TestCredentials {
 public:
  // `secrets` as in a policy.
  explicit TestCredentials(const std::string& secrets)
      : policy_(*policy::Policy::parse({{"t.json", R"({"version": 1, "secrets": )" + secrets + "}"}})) {
    std::string list;
    for (const auto& source : policy_.secrets()) {
      list += fmt::format(R"({}{{"name": "{}", "value": "{}", "placeholder": "{}"}})", list.empty() ? "" : ",",
                          source.name, value_of(source.name), placeholder_of(source.name));
    }
    values_ = *CredentialValues::parse(R"({"secrets": [)" + list + "]}");
    table_ = *CredentialTable::create(policy_, values_);
  }
  const CredentialTable& table() const { return table_; }

 private:
  policy::Policy policy_;
  CredentialValues values_;
  CredentialTable table_;
};

}  // namespace gatehouse::proxy
