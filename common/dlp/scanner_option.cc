#include "common/dlp/scanner_option.h"

#include <CLI/CLI.hpp>

namespace gatehouse::dlp {

namespace {
constexpr std::chrono::seconds kQueueGrace{5};
}

void add_scanner_option(CLI::App& app, std::string& where) {
  app.add_option("--dlp", where, "gatehouse-dlp, which scans whatever is to leave; without it nothing is scanned")
      ->type_name("unix:PATH");
}

Result<std::optional<Endpoint>> scanner_endpoint(const std::string& where) { return unix_endpoint("--dlp", where); }

std::chrono::milliseconds scan_deadline(const policy::Limits& limits) { return limits.scan_time + kQueueGrace; }

}  // namespace gatehouse::dlp
