// The values that are put into requests, as the launcher hands them over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret_bytes.h"
#include "common/policy/policy.h"

namespace gatehouse::proxy {

inline constexpr size_t kMinCredentialBytes = 6;  // a shorter one would be replaced all over every answer
inline constexpr size_t kMaxCredentialBytes = 8 << 10;
inline constexpr size_t kMinPlaceholderBytes = 32;
inline constexpr size_t kMaxPlaceholderBytes = 256;

struct CredentialValue {
  std::string name;         // of the secret
  std::string placeholder;  // what stands for it in the guest: letters, digits, '-', '_' and '.'; or nothing does
  SecretBytes bytes;
};

// Immutable, and shared by all threads.
class CredentialValues {
 public:
  CredentialValues() = default;

  // Reads {"secrets": [{"name": "GITHUB_TOKEN", "value": "...", "placeholder": "..."}]}, the placeholder only of those
  // that the guest uses. Other members of the object are the scanner's. Errors hold no value.
  static Result<CredentialValues> parse(std::string_view json);

  // parse() of "fd:N", an inherited descriptor that is read to its end and closed, or of a file that nobody but its
  // owner may read.
  static Result<CredentialValues> load(const std::string& source);

  // What the policy's upstream proxy asks for; null where it asks for nothing. An error names the place in the policy.
  Result<const CredentialValue*> for_upstream_proxy(const policy::Policy& policy) const;

  // Null when there is none of that name.
  const CredentialValue* find(std::string_view name) const;
  bool empty() const { return values_.empty(); }

 private:
  std::vector<CredentialValue> values_;
};

}  // namespace gatehouse::proxy
