#include "dlp/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <thread>

#include "dlp/worker.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kOtherDescriptors = 128;  // loops, listeners, standard streams

int default_workers() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostDefaultWorkers);
}

}  // namespace

ScannerOptions parse_options(int argc, char** argv) {
  ScannerOptions own;
  own.workers = default_workers();
  auto parsed = parse_gate_options(
      "gatehouse-dlp", "Looks for secrets in what the gates show it, and judges what it finds by the policy", argc,
      argv, [&](CLI::App& app) {
        app.add_option("--rules", own.rules, "rules to scan with; default: those that are shipped")->type_name("DIR");
        app.add_option("--secrets", own.secrets, "values that must not leave, besides what looks like a secret")
            ->type_name("FILE|fd:N");
        app.add_option("--cache", own.cache,
                       "where compiled rules are kept; default: gatehouse/dlp in the user's cache")
            ->type_name("DIR|none");
        app.add_option("--workers", own.workers, "event loops, a thread each")
            ->check(CLI::Range(1, kMaxWorkers))
            ->capture_default_str();
      });
  own.gate = std::move(parsed.gate);
  own.exit_code = parsed.exit_code;
  return own;
}

Result<void> require(const GateOptions& options) {
  if (!options.has_policy()) return fail("--policy FILE is required: it says what becomes of what is found");
  if (options.session.empty()) return fail("--session NAME is required: it names the session in messages");
  if (!options.audit.empty()) {
    return fail("--audit {}: the scanner writes no log, the gates that ask it log what it found", options.audit);
  }
  return {};
}

std::string cache_directory(const ScannerOptions& options) {
  if (options.cache == "none") return "";
  if (!options.cache.empty()) return options.cache;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/gatehouse/dlp";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/gatehouse/dlp";
  return "";
}

Confinement confinement(const ScannerOptions& options) {
  return {.outbound = Outbound::none,
          .max_open_files = kOtherDescriptors + kMaxConnections * static_cast<size_t>(options.workers)};
}

}  // namespace gatehouse::dlp
