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

Result<std::optional<Endpoint>> scanner_endpoint(const std::string& where) {
  if (where.empty()) return std::nullopt;
  const auto endpoint = parse_endpoint(where);
  if (!endpoint) return failed(endpoint, "--dlp");
  if (endpoint->kind != Endpoint::Kind::unix_stream) return fail("--dlp {}: expected unix:PATH", where);
  return *endpoint;
}

std::chrono::milliseconds scan_deadline(const policy::Limits& limits) { return limits.scan_time + kQueueGrace; }

}  // namespace gatehouse::dlp
