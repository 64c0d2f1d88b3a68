// gatehouse scan PATH...|-
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "common/base/options.h"
#include "dlp/scanner.h"
#include "launcher/command.h"
#include "launcher/file_scan.h"
#include "launcher/paths.h"
#include "launcher/scan_progress.h"

namespace gatehouse::launcher {

namespace {

struct ScanOptions {
  std::vector<std::string> paths;
  std::vector<std::string> policies;
  std::string rules;
  std::string format = "text";
  std::string least = "warn";
};

constexpr const char* kSeverities[] = {"warn", "redact", "block"};

int fail_with(const Error& error) {
  fmt::print(stderr, "gatehouse: {}\n", error.message());
  return kExitUsage;
}

// A policy's say is in its limits: what it makes of findings on the wire is not what is in a file.
Result<policy::Policy> load_policy(const std::vector<std::string>& files) {
  if (files.empty()) return policy::Policy::parse({{"gatehouse scan", R"({"version": 1})"}});
  return policy::Policy::load(files);
}

std::string write_report(const std::string& format, const std::vector<FileFinding>& findings) {
  if (format == "json") return report_json(findings);
  if (format == "sarif") return report_sarif(findings);
  return report_text(findings);
}

FindingAction least_severity(const std::string& word) {
  return word == "block" ? FindingAction::deny : word == "redact" ? FindingAction::redact : FindingAction::warn;
}

int scan(const ScanOptions& options) {
  const auto policy = load_policy(options.policies);
  if (!policy) return fail_with(policy.error());
  const auto cache = cache_directory();
  const auto scanner = dlp::Scanner::load({options.rules, "", cache ? *cache + "/dlp" : ""}, *policy);
  if (!scanner) return fail_with(scanner.error());
  const auto scans = (*scanner)->open_scans(1);
  if (!scans) return fail_with(scans.error());

  const auto list = list_files(options.paths);
  for (const auto& error : list.unreadable) fmt::print(stderr, "gatehouse: {}\n", error.message());
  bool unreadable = !list.unreadable.empty();
  ScanProgress progress(list.files);
  std::vector<FileFinding> findings;
  for (const auto& file : list.files) {
    auto found = scan_file(file, scans->front(), [&](uint64_t bytes) { progress.add(bytes); });
    if (!found) {
      progress.erase();
      fmt::print(stderr, "gatehouse: {}\n", found.error().message());
      unreadable = true;
      continue;
    }
    std::erase_if(*found, [&](const auto& f) { return f.finding.severity < least_severity(options.least); });
    // SARIF is one document; the other forms are shown as they come.
    if (options.format != "sarif" && !found->empty()) {
      progress.erase();
      fmt::print("{}", write_report(options.format, *found));
    }
    findings.insert(findings.end(), std::make_move_iterator(found->begin()), std::make_move_iterator(found->end()));
  }
  progress.erase();
  if (options.format == "sarif") fmt::print("{}", report_sarif(findings));
  if (options.format == "text") {
    fmt::print(stderr, "gatehouse: {} findings in {} files, {}\n", findings.size(), list.files.size(),
               progress.summary());
  }
  if (unreadable) return kExitUsage;
  return findings.empty() ? kExitOk : kExitNo;
}

}  // namespace

void add_scan_command(CLI::App& app, Run& chosen) {
  const auto options = std::make_shared<ScanOptions>();
  auto* command = app.add_subcommand("scan", "look for secrets in files, whatever they are encoded as or packed into");
  command->add_option("PATH", options->paths, "files, folders with all below them, or - for standard input")
      ->required();
  auto* json = command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "one object a line");
  command
      ->add_flag_callback(
          "--sarif", [options] { options->format = "sarif"; }, "one SARIF 2.1.0 document")
      ->excludes(json);
  command->add_option("--severity", options->least, "report what is at least so severe: warn, redact or block")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kSeverities), std::end(kSeverities))))
      ->capture_default_str();
  command->add_option("--rules", options->rules, "folder of rule files (default: the shipped ones)")->type_name("DIR");
  command->add_option("--policy", options->policies, "policy whose limits hold for decoding; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->footer("Exit code: 0 nothing found, 3 something found, 2 something could not be read.");
  command->callback([options, &chosen] { chosen = [options] { return scan(*options); }; });
}

}  // namespace gatehouse::launcher
