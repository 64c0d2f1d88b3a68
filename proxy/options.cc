#include "proxy/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "common/dlp/scanner_option.h"
#include "proxy/worker.h"

namespace gatehouse::proxy {

namespace {

// Each connection of the guest may need another one to its upstream, and then one to the scanner and a file for a body;
// besides these there are loops, log and listeners.
constexpr size_t kDescriptorsPerConnection = 2;
constexpr size_t kDescriptorsPerInspection = 2;
constexpr size_t kOtherDescriptors = 512;

// What the shipped policies say, for everybody who may have secrets.
bool is_moot_without_secrets(const policy::FindingSelector& selector) {
  constexpr std::string_view kOfSecrets[] = {"known-secrets",   "canaries",    "known-secret",
                                             "secret-fragment", "placeholder", "canary"};
  return std::find(std::begin(kOfSecrets), std::end(kOfSecrets), selector.name) != std::end(kOfSecrets);
}

}  // namespace

ProxyOptions parse_options(int argc, char** argv) {
  ProxyOptions own;
  auto parsed = parse_gate_options(
      "gatehouse-proxy", "Intercepts HTTP and HTTPS, and forwards what the policy allows", argc, argv,
      [&](CLI::App& app) {
        app.add_option("--dns", own.dns, "gatehouse-dns, which knows the names behind the pool's addresses")
            ->type_name("unix:PATH");
        dlp::add_scanner_option(app, own.dlp);
        app.add_option("--git-gate", own.git_gate, "who looks through what is pushed; without it nothing may be")
            ->type_name("unix:PATH");
        app.add_option("--tools", own.tools, "where requests of gatehouse-mcp-gateway are taken, to servers of tools")
            ->type_name("unix:PATH");
        app.add_option("--approvals", own.approvals, "who is asked where the policy wants a person's approval")
            ->type_name("unix:PATH");
        app.add_option("--ca", own.ca, "certificate and key (PEM) that sign for every host; default: made at the start")
            ->type_name("FILE|fd:N");
        app.add_option("--ca-cert-out", own.ca_cert_out, "where to write the certificate that clients are to trust")
            ->type_name("FILE");
        app.add_option("--credentials", own.credentials,
                       "values of the policy's secrets that go to hosts, and their placeholders (JSON)")
            ->type_name("FILE|fd:N");
        app.add_option(
               "--call-key", own.call_key,
               "32 bytes; with the same at the MCP gateway, the log links its calls to models that asked for them")
            ->type_name("FILE|fd:N");
        app.add_option("--upstream-ca", own.upstream_ca, "certificates to trust upstream besides the system's (PEM)")
            ->type_name("FILE");
        app.add_option("--workers", own.workers, "event loops, a thread each")
            ->check(CLI::Range(1, kMaxWorkers))
            ->capture_default_str();
      });
  own.gate = std::move(parsed.gate);
  own.exit_code = parsed.exit_code;
  return own;
}

Result<void> require(const GateOptions& options) {
  if (!options.has_policy()) return fail("--policy FILE is required: without a policy every request would be denied");
  if (options.audit.empty()) return fail("--audit FILE is required: nothing is let through without its row");
  if (options.session.empty()) return fail("--session NAME is required: it names the session in the audit log");
  return {};
}

Result<std::optional<Endpoint>> dns_endpoint(const ProxyOptions& options) {
  return unix_endpoint("--dns", options.dns);
}

Result<std::optional<Endpoint>> git_gate_endpoint(const ProxyOptions& options) {
  return unix_endpoint("--git-gate", options.git_gate);
}

Result<std::optional<Endpoint>> approver_endpoint(const ProxyOptions& options) {
  return unix_endpoint("--approvals", options.approvals);
}

Result<void> add_tools_socket(const ProxyOptions& options, std::vector<InheritedSocket>& sockets) {
  const auto endpoint = unix_endpoint("--tools", options.tools);
  if (!endpoint) return failed(endpoint);
  if (!*endpoint) return {};
  auto socket = open_socket(**endpoint);
  if (!socket) return failed(socket, "--tools");
  sockets.push_back({std::move(*socket), "tools", false});
  return {};
}

Result<void> require_scanner(const ProxyOptions& options, const policy::Policy& policy) {
  if (!options.dlp.empty()) return {};
  if (!policy.secrets().empty()) {
    return fail("the policy names secrets that must not leave, but without --dlp unix:PATH nothing looks for them");
  }
  for (const auto& selector : policy.finding_selectors()) {
    if (is_moot_without_secrets(selector)) continue;
    return tl::unexpected(
        selector.place.error("this says what becomes of findings, but without --dlp unix:PATH nothing is found"));
  }
  return {};
}

std::string audit_folder(const ProxyOptions& options) {
  return std::filesystem::absolute(options.gate.audit).parent_path().string();
}

Confinement confinement(const ProxyOptions& options) {
  Confinement needs{.outbound = Outbound::network, .read_paths = system_resolver_paths()};
  for (auto& path : system_trust_paths()) needs.read_paths.push_back(std::move(path));
  needs.write_paths = {audit_folder(options)};
  const size_t each = kDescriptorsPerConnection + (options.dlp.empty() ? 0 : kDescriptorsPerInspection);
  needs.max_open_files = kOtherDescriptors + each * kMaxConnections * static_cast<size_t>(options.workers);
  return needs;
}

}  // namespace gatehouse::proxy
