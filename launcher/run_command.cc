// `gatehouse run`: the command line of a session.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "common/base/fd.h"
#include "common/base/options.h"
#include "common/ipc/agent_protocol.h"
#include "common/ipc/frame.h"
#include "common/tls/ca.h"
#include "launcher/command.h"
#include "launcher/images.h"
#include "launcher/paths.h"
#include "launcher/run_options.h"
#include "launcher/session.h"
#include "launcher/snapshot.h"

namespace gatehouse::launcher {

namespace {

// The options as they were written.
struct RunWords {
  std::vector<std::string> policies;
  std::string image{kDefaultImage};
  std::string name;
  int cpus = kDefaultCpus;
  std::string memory;
  std::vector<std::string> environment;
  std::string time_limit;
  std::string accelerator = "auto";
  std::string upstream_ca;
  std::vector<std::string> command;
};

int fail_with(const Error& error, int code) {
  fmt::print(stderr, "gatehouse: {}\n", error.message());
  return code;
}

Result<std::string> absolute_file(const std::string& path) {
  std::error_code error;
  auto absolute = std::filesystem::absolute(path, error);
  if (error) return fail("{}: {}", path, error.message());
  return absolute.lexically_normal().string();
}

Result<SessionSettings> read_words(const RunWords& words) {
  SessionSettings settings;
  settings.name = words.name.empty() ? make_session_name() : words.name;
  if (auto ok = check_session_name(settings.name); !ok) return failed(ok, "--name");
  settings.image = words.image;
  settings.cpus = words.cpus;
  if (!words.memory.empty()) {
    const auto memory = parse_memory(words.memory);
    if (!memory) return failed(memory, "--memory");
    settings.memory_mib = *memory;
  }
  for (const auto& text : words.environment) {
    auto entry = parse_environment_entry(text);
    if (!entry) return failed(entry);
    settings.environment.push_back(std::move(*entry));
  }
  if (!words.time_limit.empty()) {
    const auto limit = parse_time_limit(words.time_limit);
    if (!limit) return failed(limit);
    settings.time_limit = *limit;
  }
  for (const auto& file : words.policies) {
    auto path = absolute_file(file);
    if (!path) return failed(path, "--policy");
    settings.policies.push_back(std::move(*path));
  }
  if (settings.policies.empty()) {
    const auto shipped = policy::policies_directory();
    if (!shipped) return failed(shipped);
    settings.policies.push_back(*shipped + "/baseline.json");
  }
  if (!words.upstream_ca.empty()) {
    auto path = absolute_file(words.upstream_ca);
    if (!path) return failed(path, "--upstream-ca");
    if (auto readable = read_file(*path, kMaxCertificatesBytes); !readable) return failed(readable, "--upstream-ca");
    settings.upstream_ca = std::move(*path);
  }
  settings.command = words.command;
  const size_t bytes = ipc::encode(ipc::Exec{settings.command, settings.environment, "", std::nullopt}).size();
  if (bytes > ipc::kMaxFramePayloadBytes) {
    return fail(
        "command and environment are {} bytes, over the limit of {}: pass a file through standard input instead", bytes,
        ipc::kMaxFramePayloadBytes);
  }
  return settings;
}

// Two values under one name: neither is what somebody meant.
Result<void> check_environment(const SessionSettings& settings, const std::vector<Secret>& secrets) {
  for (const auto& [name, placeholder] : placeholder_environment(secrets)) {
    for (const auto& [said, value] : settings.environment) {
      if (said == name) return fail("--env {}: the guest finds the placeholder of the secret {} there", name, name);
    }
  }
  return {};
}

int run(const RunWords& words) {
  auto settings = read_words(words);
  if (!settings) return fail_with(settings.error(), kExitUsage);
  const auto choice = parse_accelerator(words.accelerator);
  if (!choice) return fail_with(choice.error().in("--accel"), kExitUsage);
  const auto policy = policy::Policy::load(settings->policies);
  if (!policy) return fail_with(policy.error(), kExitUsage);

  const auto selected = select_accelerator(*choice, probe_kvm());
  if (!selected) return fail_with(selected.error(), kExitGatehouse);
  settings->accelerator = selected->accelerator;
  if (!selected->notice.empty()) fmt::print(stderr, "gatehouse: {}\n", selected->notice);

  const rlimit no_core{0, 0};
  if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return fail_with(Error("cannot turn core dumps off"), kExitGatehouse);
  if (auto ok = tls::protect_key_memory(); !ok) return fail_with(ok.error(), kExitGatehouse);
  auto secrets = read_secrets(policy->secrets());
  if (!secrets) return fail_with(secrets.error(), kExitUsage);
  if (auto ok = make_placeholders(*secrets, policy->credentials()); !ok) return fail_with(ok.error(), kExitUsage);
  if (auto ok = check_identities(*secrets, policy->client_identities()); !ok) return fail_with(ok.error(), kExitUsage);
  if (auto ok = check_proxy_credential(*secrets, policy->upstream_proxy()); !ok)
    return fail_with(ok.error(), kExitUsage);
  if (auto ok = check_environment(*settings, *secrets); !ok) return fail_with(ok.error(), kExitUsage);
  return run_session(*settings, *policy, *secrets);
}

}  // namespace

void add_run_command(CLI::App& app, Run& chosen) {
  auto words = std::make_shared<RunWords>();
  CLI::App* command = app.add_subcommand("run", "run a command in a micro-VM whose only way out is the policy");
  command
      ->add_option("--policy", words->policies,
                   "policy file; repeatable, each may only narrow the others (default: baseline)")
      ->type_name("FILE");
  command->add_option("--image", words->image, "root image")->type_name("NAME")->capture_default_str();
  command->add_option("--name", words->name, "name of the session (default: made up)")->type_name("NAME");
  command->add_option("--cpus", words->cpus, "virtual CPUs")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, kMaxCpus));
  command->add_option("--memory", words->memory, fmt::format("memory, such as 2G (default: {}M)", kDefaultMemoryMiB))
      ->type_name("SIZE");
  command
      ->add_option("--env", words->environment,
                   "variable for the command; repeatable; nothing else of the host's environment goes in")
      ->type_name("NAME=VALUE");
  command->add_option("--timeout", words->time_limit, "end the command after so many seconds, with exit code 124")
      ->type_name("SECONDS");
  command->add_option("--accel", words->accelerator, "auto, kvm or tcg")->type_name("WHICH")->capture_default_str();
  command->add_option("--upstream-ca", words->upstream_ca, "certificates to trust upstream besides the system's (PEM)")
      ->type_name("FILE");
  command->add_option("command", words->command, "what to run in the guest")->required()->type_name("CMD...");
  command->positionals_at_end();
  command->footer(
      "Exit code: the command's own; 124 after --timeout, 125 when Gatehouse failed, 126 or 127 when the\n"
      "command could not be run.");
  command->callback([words, &chosen] { chosen = [words] { return run(*words); }; });
}

}  // namespace gatehouse::launcher
