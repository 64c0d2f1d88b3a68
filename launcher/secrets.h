// The values that must not leave the guest, on their way from the user's environment, files or commands to the scanner.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/secret_bytes.h"
#include "common/policy/policy.h"
#include "launcher/canaries.h"

namespace gatehouse::launcher {

inline constexpr size_t kMaxSecretBytes = 8 << 10;       // one value
inline constexpr size_t kMaxAllSecretBytes = 512 << 10;  // as handed over: what a pipe can be made to hold
inline constexpr std::chrono::seconds kSecretCommandLimit{30};

struct Secret {
  std::string name;
  SecretBytes value;
  std::string placeholder = {};  // what the guest holds of one that goes to hosts; empty for others
};

// Reads each value; one trailing line break is cut off. A variable is removed from the environment once read. A command
// is run without a shell, in the launcher's environment, and its standard output taken; it must end with 0 within
// kSecretCommandLimit. What is missing, empty or longer than kMaxSecretBytes is an error that names the secret and
// never holds its value.
Result<std::vector<Secret>> read_secrets(const std::vector<policy::SecretSource>& sources);

// Makes a placeholder for each that the policy sends somewhere: the prefix it says, "gatehouse-placeholder-NAME-" and
// 32 random hexadecimal digits. A value that cannot stand where it is to is an error in words that do not hold it.
Result<void> make_placeholders(std::vector<Secret>& secrets, const std::vector<policy::Credential>& credentials);

// Refuses a client certificate that could not be shown, at its place in the policy and in words that do not hold it.
Result<void> check_identities(const std::vector<Secret>& secrets,
                              const std::vector<policy::ClientIdentity>& identities);

// Likewise the credential for the upstream proxy.
Result<void> check_proxy_credential(const std::vector<Secret>& secrets,
                                    const std::optional<policy::UpstreamProxy>& proxy);

// The guest's environment: each placeholder under the name of its secret.
std::vector<std::pair<std::string, std::string>> placeholder_environment(const std::vector<Secret>& secrets);

// What gatehouse-proxy reads with --credentials, as JSON: those that have a placeholder, and those it uses itself.
Result<SecretBytes> proxy_credentials(const std::vector<Secret>& secrets, const std::vector<std::string>& kept);

// What gatehouse-mcp-gateway reads with --secrets, as JSON: those that a server is given.
Result<SecretBytes> server_secrets(const std::vector<Secret>& secrets, const std::vector<policy::McpServer>& servers);

// What it reads with --client-secrets: those by which authorization servers know it.
Result<SecretBytes> client_secrets(const std::vector<Secret>& secrets, const std::vector<policy::McpServer>& servers);

// What gatehouse-dlp reads with --secrets, as JSON: the secrets, the canaries, and the session's key for fingerprints,
// so that a restarted scanner gives the same secret the same one. Certificates without their keys are no secrets.
Result<SecretBytes> scanner_secrets(const std::vector<Secret>& secrets, const std::vector<Canary>& canaries,
                                    const std::vector<policy::ClientIdentity>& identities = {});

// From the kernel.
Result<SecretBytes> random_secret(size_t bytes);

// The read end of a pipe that holds all of `parts`, one after the other, with nobody reading yet.
Result<Fd> pipe_of(std::initializer_list<std::string_view> parts);

}  // namespace gatehouse::launcher
