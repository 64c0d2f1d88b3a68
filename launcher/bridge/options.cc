#include "launcher/bridge/options.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <limits>

#include "common/base/confine.h"
#include "common/net/endpoint.h"
#include "launcher/bridge/muxer.h"

namespace gatehouse::bridge {

namespace {

constexpr size_t kNeededDescriptors = kMaxConnections + 64;

// CID 0 to 2 are reserved, and the device's CID is 32 bits wide with the upper half zero (virtio 1.2 section 5.10.4).
constexpr uint64_t kLastGuestCid = std::numeric_limits<uint32_t>::max() - 1;

Result<void> place(Fd socket, Fd& place, std::string_view name) {
  if (place) return fail("more than one '{}' socket", name);
  place = std::move(socket);
  return {};
}

}  // namespace

BridgeOptions parse_options(int argc, char** argv) {
  BridgeOptions result;
  Options& options = result.options;
  std::vector<std::string> ports;
  auto parsed = parse_gate_options(
      "gatehouse-bridge", "The guest's vsock device, as a vhost-user back end of QEMU.", argc, argv,
      [&](CLI::App& app) {
        app.add_option("--guest-port", ports, "what the guest reaches at a vsock port; repeatable")
            ->type_name("PORT=unix:PATH")
            ->allow_extra_args(false);
        app.add_option("--host", options.host, "where host clients ask for a port of the guest, besides LISTEN_FDS")
            ->type_name("unix:PATH");
        app.add_option("--guest-cid", options.guest_cid, "the guest's context id")
            ->check(CLI::Range(kDefaultGuestCid, kLastGuestCid));
      });
  options.gate = std::move(parsed.gate);
  result.exit_code = parsed.exit_code;
  if (result.exit_code) return result;
  auto table = parse_port_table(ports);
  if (!table) {
    result.exit_code = report(table.error().in("--guest-port"), kExitUsage);
    return result;
  }
  options.ports = std::move(*table);
  if (options.gate.check_config) result.exit_code = kExitOk;
  return result;
}

Result<ListeningSockets> take_sockets(const Options& options) {
  ListeningSockets sockets;
  auto inherited = take_inherited_sockets();
  if (!inherited) return failed(inherited);
  for (auto& socket : *inherited) {
    if (socket.name != "vhost" && socket.name != "host") {
      return fail("LISTEN_FDNAMES: '{}', expected 'vhost' or 'host'", socket.name);
    }
    auto& target = socket.name == "vhost" ? sockets.vhost : sockets.host;
    if (auto ok = place(std::move(socket.fd), target, socket.name); !ok) return failed(ok);
  }
  const auto open = [](const std::string& text, Fd& target, std::string_view name) -> Result<void> {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return failed(endpoint);
    if (endpoint->kind != Endpoint::Kind::unix_stream) return fail("'{}': expected unix:PATH", text);
    auto socket = open_socket(*endpoint);
    if (!socket) return failed(socket);
    return place(std::move(*socket), target, name);
  };
  for (const auto& listen : options.gate.listen) {
    if (auto ok = open(listen, sockets.vhost, "vhost"); !ok) return failed(ok, "--listen");
  }
  if (!options.host.empty()) {
    if (auto ok = open(options.host, sockets.host, "host"); !ok) return failed(ok, "--host");
  }
  if (!sockets.vhost) return fail("no socket for QEMU: pass one named 'vhost' (LISTEN_FDS) or give --listen unix:PATH");
  return sockets;
}

Result<void> give_up_the_rest(const Options& options) {
  Confinement needs{.outbound = Outbound::unix_sockets, .max_open_files = kNeededDescriptors};
  if (!options.gate.audit.empty()) {
    needs.write_paths = {std::filesystem::absolute(options.gate.audit).parent_path().string()};
  }
  return confine(needs);
}

}  // namespace gatehouse::bridge
