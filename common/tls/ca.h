// The session CA: made by the launcher (or by a proxy run by hand), trusted by one guest, gone with its session.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret_bytes.h"

namespace gatehouse::tls {

inline constexpr long kCaLifetimeSeconds = 30L * 24 * 3600;
inline constexpr long kBackdateSeconds = 3600;  // guests' clocks may be behind

struct SessionCa {
  std::string certificate;  // PEM
  SecretBytes key;          // PEM (PKCS #8), unencrypted
};

// A new P-256 CA that may sign leaves only (pathlen 0). `name`, the session's, becomes part of its subject, cut to what
// X.520 allows. Hand the pair to the proxy as certificate PEM followed by key PEM over a pipe (`--ca fd:N`), never by
// argv, environment or disk.
Result<SessionCa> create_session_ca(std::string_view name);

// Call first thing in main() of a process that holds keys: makes it undumpable (no core, no ptrace by others) and gives
// OpenSSL a locked heap for private keys. An error says what could not be had; a lock limit alone is no error.
Result<void> protect_key_memory();

}  // namespace gatehouse::tls
