#include "mcp-gateway/options.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "common/dlp/scanner_option.h"
#include "mcp-gateway/given_secrets.h"
#include "mcp-gateway/login_server.h"

namespace gatehouse::mcp {

namespace {
constexpr size_t kMaxOpenFiles = 8192;  // clients, servers, the scanner's connections
}  // namespace

McpOptions parse_options(int argc, char** argv) {
  McpOptions own;
  auto parsed = parse_gate_options(
      "gatehouse-mcp-gateway", "Starts the policy's servers of tools, and judges every call of one", argc, argv,
      [&](CLI::App& app) {
        dlp::add_scanner_option(app, own.dlp);
        app.add_option("--approvals", own.approvals, "where people are asked")->type_name("unix:PATH");
        app.add_option("--proxy", own.proxy, "gatehouse-proxy's socket for servers over HTTP")->type_name("unix:PATH");
        app.add_option("--secrets", own.secrets,
                       "JSON object of what servers are given: fd:N, or a file that is yours alone")
            ->type_name("SOURCE");
        app.add_option("--call-key", own.call_key,
                       "32 bytes; with the same at the proxy, the log links calls to models that asked for them")
            ->type_name("SOURCE");
        app.add_option("--pins", own.pins, "what was approved of tools, in all sessions; made if it is missing")
            ->type_name("FILE");
        app.add_option(
               "--client-secrets", own.client_secrets,
               "JSON object of the gateway's own secrets at authorization servers: fd:N, or a file that is yours "
               "alone")
            ->type_name("SOURCE");
        app.add_option("--tokens", own.tokens, "what people's logins came to, in all sessions; made if it is missing")
            ->type_name("FILE");
        app.add_option("--login", own.login, "where `gatehouse mcp login` is heard; not for guests")
            ->type_name("unix:PATH");
        app.add_option("--work", own.work, "folder for the servers' own folders; made if it is missing")
            ->type_name("DIR");
      });
  own.gate = std::move(parsed.gate);
  own.exit_code = parsed.exit_code;
  return own;
}

Result<void> require(const McpOptions& options) {
  if (!options.gate.has_policy()) return fail("--policy FILE is required: it says which tools may be called");
  if (options.gate.audit.empty()) return fail("--audit FILE is required: nothing is called without its row");
  if (options.gate.session.empty()) return fail("--session NAME is required: the audit log is kept by session");
  if (options.dlp.empty()) return fail("--dlp unix:PATH is required: nothing that is not scanned may be called");
  if (options.work.empty()) return fail("--work DIR is required: servers have their own folders there");
  if (options.pins.empty()) return fail("--pins FILE is required: what was approved of tools is kept there");
  return {};
}

Result<Endpoints> endpoints(const McpOptions& options) {
  const auto scanner = dlp::scanner_endpoint(options.dlp);
  if (!scanner) return failed(scanner);
  const auto approver = unix_endpoint("--approvals", options.approvals);
  if (!approver) return failed(approver);
  const auto proxy = unix_endpoint("--proxy", options.proxy);
  if (!proxy) return failed(proxy);
  return Endpoints{**scanner, *approver, *proxy};
}

Result<void> require_proxy(const McpOptions& options, const std::vector<policy::McpServer>& servers) {
  for (const auto& server : servers) {
    if (!server.endpoint || !options.proxy.empty()) continue;
    return fail("the server '{}' has a URL, and without --proxy unix:PATH nothing reaches it", server.name);
  }
  return {};
}

Result<Oauth> open_oauth(const McpOptions& options, const std::vector<policy::McpServer>& servers) {
  Oauth oauth;
  auto secrets = read_given_secrets(options.client_secrets);
  if (!secrets) return failed(secrets, "--client-secrets");
  oauth.secrets = std::move(*secrets);
  bool logins = false;
  for (const auto& server : servers) {
    if (!server.oauth) continue;
    logins |= server.oauth->grant == policy::McpGrant::authorization_code;
    const auto& name = server.oauth->client_secret;
    if (name.empty() || oauth.secrets.contains(name)) continue;
    return fail("the server '{}' has the client's secret '{}', which --client-secrets does not hold", server.name,
                name);
  }
  if (!logins || options.tokens.empty()) return oauth;
  auto store = TokenStore::open(options.tokens);
  if (!store) return failed(store);
  oauth.store = std::move(*store);
  return oauth;
}

Result<std::optional<InheritedSocket>> take_login_socket(const McpOptions& options,
                                                         std::vector<InheritedSocket>& from) {
  for (auto at = from.begin(); at != from.end(); ++at) {
    if (at->name != kLoginSocket) continue;
    auto socket = std::move(*at);
    from.erase(at);
    return socket;
  }
  const auto endpoint = unix_endpoint("--login", options.login);
  if (!endpoint) return failed(endpoint);
  if (!*endpoint) return std::nullopt;
  auto fd = open_socket(**endpoint);
  if (!fd) return failed(fd, "--login");
  return InheritedSocket{std::move(*fd), kLoginSocket, false};
}

Confinement confinement(const McpOptions& options) {
  return {.outbound = Outbound::unix_sockets,
          .write_paths = {std::filesystem::absolute(options.gate.audit).parent_path().string()},
          .max_open_files = kMaxOpenFiles};
}

}  // namespace gatehouse::mcp
