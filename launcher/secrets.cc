#include "launcher/secrets.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/base/wiping.h"
#include "common/tls/certified_key.h"
#include "launcher/installation.h"
#include "launcher/spawn.h"

namespace gatehouse::launcher {

namespace {

constexpr size_t kFingerprintKeyBytes = 32;
constexpr size_t kPlaceholderRandomBytes = 16;

Result<std::string> from_environment(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr) return fail("the variable {} is not set", variable);
  std::string text = value;
  ::unsetenv(variable.c_str());
  return text;
}

using Deadline = std::chrono::steady_clock::time_point;

// Whether there is something to be read, or an end of it, before the deadline.
bool readable_before(int fd, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd state{fd, POLLIN, 0};
  return left.count() > 0 && ::poll(&state, 1, static_cast<int>(left.count())) != 0;
}

Error too_slow() { return Error(fmt::format("did not end within {} s", kSecretCommandLimit.count())); }

// All that comes until the end, or an error when there is too much of it or it takes too long.
Result<std::string> read_before(int fd, Deadline deadline) {
  std::string text;
  char buffer[4096];
  for (;;) {
    if (!readable_before(fd, deadline)) {
      wipe(text);
      return tl::unexpected(too_slow());
    }
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxSecretBytes + 1) break;
  }
  OPENSSL_cleanse(buffer, sizeof buffer);
  return text;
}

Result<std::string> from_command(const std::vector<std::string>& command) {
  auto program = command.front().find('/') == std::string::npos ? find_program(command.front())
                                                                : Result<std::string>(command.front());
  if (!program) return failed(program);
  auto pipe = make_pipe();
  if (!pipe) return failed(pipe);
  ProcessSpec spec;
  spec.program = std::move(*program);
  spec.arguments.assign(command.begin() + 1, command.end());
  for (char** entry = environ; *entry != nullptr; ++entry) spec.environment.emplace_back(*entry);
  spec.output = pipe->write.get();
  spec.errors = STDERR_FILENO;
  spec.recipe = true;
  const auto process = spawn(spec);
  if (!process) return failed(process);
  pipe->write.reset();
  const auto deadline = std::chrono::steady_clock::now() + kSecretCommandLimit;
  auto text = read_before(pipe->read.get(), deadline);
  pipe->read.reset();
  // It may have closed its output and go on.
  if (text && !readable_before(process->pidfd.get(), deadline)) {
    wipe(*text);
    text = tl::unexpected(too_slow());
  }
  if (!text) ::kill(process->pid, SIGKILL);
  int status = 0;
  while (::waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (text && status != 0) {
    wipe(*text);
    return fail("the command {}", describe_end(status));
  }
  return text;
}

Result<std::string> read_source(const policy::SecretSource& source) {
  switch (source.from) {
    case policy::SecretSource::From::environment:
      return from_environment(source.where);
    case policy::SecretSource::From::file:
      return read_file(source.where, kMaxSecretBytes + 1);
    case policy::SecretSource::From::command:
      return from_command(source.command);
  }
  return fail("of an unknown kind");
}

nlohmann::json entry(std::string_view name, std::string_view value) { return {{"name", name}, {"value", value}}; }

nlohmann::json entry(const Secret& secret) {
  auto all = entry(secret.name, secret.value.view());
  if (!secret.placeholder.empty()) all["placeholder"] = secret.placeholder;
  return all;
}

Result<std::string> random_bytes(size_t bytes) {
  std::string raw(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) != 1) {
    return fail("no random bytes");
  }
  return raw;
}

Result<std::string> random_hex(size_t bytes) {
  auto raw = random_bytes(bytes);
  if (!raw) return raw;
  std::string text;
  for (const char byte : *raw) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  wipe(*raw);
  return text;
}

// Wipes what the tree holds once it is written.
Result<SecretBytes> dump(nlohmann::json tree) {
  std::string text = tree.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  wipe(tree);
  auto bytes = SecretBytes::copy_of(text);
  const size_t size = text.size();
  wipe(text);
  if (size > kMaxAllSecretBytes) return fail("the secrets together are over {} bytes", kMaxAllSecretBytes);
  return bytes;
}

}  // namespace

Result<std::vector<Secret>> read_secrets(const std::vector<policy::SecretSource>& sources) {
  std::vector<Secret> secrets;
  for (const auto& source : sources) {
    const std::string where = fmt::format("secret {}", source.name);
    auto text = read_source(source);
    if (!text) return failed(text, where);
    std::string_view value = *text;
    if (value.ends_with('\n')) value.remove_suffix(value.ends_with("\r\n") ? 2 : 1);
    const bool fits = !value.empty() && value.size() <= kMaxSecretBytes;
    auto kept = SecretBytes::copy_of(fits ? value : "");
    const bool empty = value.empty();
    wipe(*text);
    if (!fits) return fail("{}: {}", where, empty ? "is empty" : fmt::format("is over {} bytes", kMaxSecretBytes));
    if (!kept) return failed(kept, where);
    secrets.push_back({source.name, std::move(*kept)});
  }
  return secrets;
}

Result<void> make_placeholders(std::vector<Secret>& secrets, const std::vector<policy::Credential>& credentials) {
  for (const auto& credential : credentials) {
    const auto found = std::find_if(secrets.begin(), secrets.end(),
                                    [&](const Secret& secret) { return secret.name == credential.secret; });
    if (found == secrets.end()) return fail("secret {}: has no value", credential.secret);
    if (auto ok = credential.check_value(found->value.view()); !ok) return failed(ok, "secret " + credential.secret);
    const auto own = random_hex(kPlaceholderRandomBytes);
    if (!own) return failed(own);
    found->placeholder = fmt::format("{}gatehouse-placeholder-{}-{}", credential.prefix, credential.secret, *own);
  }
  return {};
}

static std::string_view value_of(const std::vector<Secret>& secrets, std::string_view name) {
  const auto found =
      std::find_if(secrets.begin(), secrets.end(), [&](const Secret& secret) { return secret.name == name; });
  return found == secrets.end() ? std::string_view() : found->value.view();
}

Result<void> check_identities(const std::vector<Secret>& secrets,
                              const std::vector<policy::ClientIdentity>& identities) {
  for (const auto& identity : identities) {
    const auto ok =
        tls::certified_key_from_pem(value_of(secrets, identity.certificate), value_of(secrets, identity.key));
    if (!ok) return tl::unexpected(identity.error(ok.error().message()));
  }
  return {};
}

Result<void> check_proxy_credential(const std::vector<Secret>& secrets,
                                    const std::optional<policy::UpstreamProxy>& proxy) {
  if (!proxy || proxy->credential.empty()) return {};
  const auto ok = policy::UpstreamProxy::check_credential(value_of(secrets, proxy->credential));
  if (!ok) return tl::unexpected(proxy->error(ok.error().message()));
  return {};
}

std::vector<std::pair<std::string, std::string>> placeholder_environment(const std::vector<Secret>& secrets) {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const auto& secret : secrets) {
    if (!secret.placeholder.empty()) environment.emplace_back(secret.name, secret.placeholder);
  }
  return environment;
}

Result<SecretBytes> proxy_credentials(const std::vector<Secret>& secrets, const std::vector<std::string>& kept) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& secret : secrets) {
    const bool is_kept = std::find(kept.begin(), kept.end(), secret.name) != kept.end();
    if (is_kept || !secret.placeholder.empty()) list.push_back(entry(secret));
  }
  nlohmann::json tree = nlohmann::json::object();
  tree["secrets"] = std::move(list);
  return dump(std::move(tree));
}

Result<SecretBytes> server_secrets(const std::vector<Secret>& secrets, const std::vector<policy::McpServer>& servers) {
  nlohmann::json tree = nlohmann::json::object();
  for (const auto& secret : secrets) {
    const bool given = std::any_of(servers.begin(), servers.end(), [&](const auto& server) {
      return std::find(server.secrets.begin(), server.secrets.end(), secret.name) != server.secrets.end();
    });
    if (given) tree[secret.name] = std::string(secret.value.view());
  }
  return dump(std::move(tree));
}

Result<SecretBytes> client_secrets(const std::vector<Secret>& secrets, const std::vector<policy::McpServer>& servers) {
  nlohmann::json tree = nlohmann::json::object();
  for (const auto& secret : secrets) {
    const bool given = std::any_of(servers.begin(), servers.end(), [&](const auto& server) {
      return server.oauth && server.oauth->client_secret == secret.name;
    });
    if (given) tree[secret.name] = std::string(secret.value.view());
  }
  return dump(std::move(tree));
}

// A certificate alone: shown to whoever asks, and full of names that stand in every request.
static bool is_public(const Secret& secret, const std::vector<policy::ClientIdentity>& identities) {
  const auto used = [&](auto member) {
    return std::any_of(identities.begin(), identities.end(),
                       [&](const auto& identity) { return identity.*member == secret.name; });
  };
  return used(&policy::ClientIdentity::certificate) && !used(&policy::ClientIdentity::key);
}

Result<SecretBytes> scanner_secrets(const std::vector<Secret>& secrets, const std::vector<Canary>& canaries,
                                    const std::vector<policy::ClientIdentity>& identities) {
  auto key = random_hex(kFingerprintKeyBytes);
  if (!key) return failed(key, "the session's key");
  nlohmann::json known = nlohmann::json::array();
  for (const auto& secret : secrets) {
    if (!is_public(secret, identities)) known.push_back(entry(secret));
  }
  nlohmann::json decoys = nlohmann::json::array();
  for (const auto& canary : canaries) decoys.push_back(entry(canary.name, canary.value));
  nlohmann::json tree = nlohmann::json::object();
  tree["secrets"] = std::move(known);
  tree["canaries"] = std::move(decoys);
  tree["key"] = *key;
  wipe(*key);
  return dump(std::move(tree));
}

Result<SecretBytes> random_secret(size_t bytes) {
  auto raw = random_bytes(bytes);
  if (!raw) return failed(raw);
  auto secret = SecretBytes::copy_of(*raw);
  wipe(*raw);
  return secret;
}

Result<Fd> pipe_of(std::initializer_list<std::string_view> parts) {
  constexpr size_t kPipeBytes = 64 << 10;  // pipe(7): what one holds unasked
  auto pipe = make_pipe();
  if (!pipe) return failed(pipe);
  size_t bytes = 0;
  for (const auto part : parts) bytes += part.size();
  if (bytes > kPipeBytes && ::fcntl(pipe->write.get(), F_SETPIPE_SZ, static_cast<int>(bytes)) < 0) {
    return fail_errno("cannot make a pipe of {} bytes", bytes);
  }
  for (const auto part : parts) {
    if (auto ok = write_all(pipe->write.get(), part); !ok) return failed(ok);
  }
  return std::move(pipe->read);
}

}  // namespace gatehouse::launcher
