// gatehouse dlp rules check [PATH...]; gatehouse dlp rules import FILE
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "common/base/fd.h"
#include "common/base/options.h"
#include "dlp/rule.h"
#include "dlp/rule_check.h"
#include "launcher/command.h"
#include "launcher/gitleaks_import.h"

namespace gatehouse::launcher {

namespace {

constexpr size_t kMaxConfigurationBytes = 16 << 20;

struct RulesOptions {
  std::vector<std::string> paths;
  std::string file;
};

int refuse(const Error& error) {
  fmt::print(stderr, "{}\n", error.message());
  return kExitUsage;
}

Result<std::vector<dlp::Rule>> load(const std::string& path) {
  if (std::filesystem::is_directory(path)) return dlp::load_rules(path);
  const auto text = read_file(path, kMaxConfigurationBytes);
  if (!text) return failed(text);
  return dlp::parse_rules(path, *text);
}

int check(const RulesOptions& options) {
  auto paths = options.paths;
  if (paths.empty()) {
    const auto shipped = dlp::rules_directory();
    if (!shipped) return refuse(shipped.error());
    paths.push_back(*shipped);
  }
  size_t rules = 0, samples = 0, failures = 0;
  for (const auto& path : paths) {
    const auto loaded = load(path);
    if (!loaded) return refuse(loaded.error());
    const auto outcome = dlp::check_rules(*loaded);
    if (!outcome) return refuse(outcome.error());
    for (const auto& failure : outcome->failures) fmt::print("{}\n", failure);
    rules += loaded->size();
    samples += outcome->samples;
    failures += outcome->failures.size();
  }
  fmt::print("{} rules, {} examples, {} failed\n", rules, samples, failures);
  return failures == 0 ? kExitOk : kExitNo;
}

int import(const RulesOptions& options) {
  const auto text = read_file(options.file, kMaxConfigurationBytes);
  if (!text) return refuse(text.error());
  const auto imported = import_gitleaks(options.file, *text);
  if (!imported) return refuse(imported.error());
  // What the scanner would refuse is better known now.
  if (const auto parsed = dlp::parse_rules("imported rules", imported->json); !parsed) return refuse(parsed.error());
  fmt::print("{}", imported->json);
  for (const auto& note : imported->notes) fmt::print(stderr, "{}\n", note);
  fmt::print(stderr, "{} rules imported, {} notes\n", imported->rules, imported->notes.size());
  return kExitOk;
}

}  // namespace

void add_dlp_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("dlp", "the scanner's rules");
  command->require_subcommand(1);
  auto* rules = command->add_subcommand("rules", "check or import rules");
  rules->require_subcommand(1);
  const auto options = std::make_shared<RulesOptions>();

  auto* check_command = rules->add_subcommand(
      "check", "run every rule's examples through the engine; 2 if a file is wrong, 3 if an example fails");
  check_command->add_option("PATHS", options->paths, "rule files or folders (default: the shipped ones)");
  check_command->callback([options, &run] { run = [options] { return check(*options); }; });

  auto* import_command = rules->add_subcommand(
      "import", "print a gitleaks configuration as a rule file, and what could not be taken over on stderr");
  import_command->add_option("FILE", options->file, "gitleaks.toml")->required();
  import_command->callback([options, &run] { run = [options] { return import(*options); }; });
}

}  // namespace gatehouse::launcher
