// Everything that was read to make a policy.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "common/policy/registries.h"

namespace gatehouse::policy {

struct PolicyInputs {
  std::vector<Source> layers;
  std::map<std::string, Source> shipped;                          // by the name in "extends"
  std::map<std::string, std::vector<RegistryOrigin>> registries;  // by symbol, of this host's configuration
};

std::string to_json(const PolicyInputs& inputs);
// Refuses what is not just what to_json() writes.
Result<PolicyInputs> parse_inputs(std::string_view json);

}  // namespace gatehouse::policy
