// The option --dlp, by which a gate is told where the scanner listens.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/net/endpoint.h"
#include "common/policy/policy.h"

namespace CLI {
class App;
}

namespace gatehouse::dlp {

// Adds `--dlp unix:PATH` to a gate's command line, to be read into `where`.
void add_scanner_option(CLI::App& app, std::string& where);

// What --dlp says; nothing when it was not given. Must be a Unix socket.
Result<std::optional<Endpoint>> scanner_endpoint(const std::string& where);

// How long a gate waits for a verdict: the scan's own limit, and some for the queue before it.
std::chrono::milliseconds scan_deadline(const policy::Limits& limits);

}  // namespace gatehouse::dlp
