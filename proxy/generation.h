// What requests are judged by from one load of the policy to the next.
#pragma once

#include "common/policy/policy.h"
#include "proxy/client_identity.h"
#include "proxy/credential_table.h"

namespace gatehouse::proxy {

// Immutable, and shared by all threads. An exchange keeps the one it began with.
struct Generation {
  policy::Policy policy;
  CredentialTable credentials;
  ClientIdentities identities = {};
  const CredentialValue* proxy_credential = nullptr;  // for the policy's upstream proxy; outlives the generation
};

}  // namespace gatehouse::proxy
