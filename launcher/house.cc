#include "launcher/house.h"

#include <unistd.h>

#include <cstdlib>

#include "common/ipc/agent_protocol.h"
#include "common/net/endpoint.h"
#include "launcher/installation.h"
#include "launcher/paths.h"
#include "launcher/secrets.h"

namespace gatehouse::launcher {

namespace {

constexpr char kQemu[] = "qemu-system-x86_64";
// Where a gate finds the shipped policies and rules, so that it reads the same as we did.
constexpr const char* kDataVariables[] = {"GATEHOUSE_POLICIES", "GATEHOUSE_RULES"};

Result<Fd> listen_on(const std::string& path) {
  Endpoint endpoint;
  endpoint.path = path;
  return open_socket(endpoint);
}

void add(ProcessSpec& spec, std::initializer_list<std::string> arguments) {
  spec.arguments.insert(spec.arguments.end(), arguments);
}

}  // namespace

House::House(Loop& loop, HouseSettings settings, const Handed& handed, PolicyKeeper& policy,
             const CapturedLog& messages, const CapturedLog& console, Supervisor::Callbacks callbacks)
    : settings_(std::move(settings)),
      handed_(handed),
      policy_(policy),
      messages_(messages),
      console_(console),
      supervisor_(loop, std::move(callbacks)) {
  settings_.vm.session = settings_.session;
  settings_.vm.vhost_socket = socket_path("vhost");
}

Result<void> House::start() {
  if (auto ok = open_sockets(); !ok) return failed(ok);
  using OnDeath = Supervisor::OnDeath;
  // The order of the chain: whoever is asked is there before whoever asks. The bridge and the machine cannot be
  // replaced: a vhost-user-vsock device of QEMU 7.2 does not connect again.
  if (auto ok = supervisor_.start({"dlp", OnDeath::restart, [this] { return dlp(); }}); !ok) return failed(ok);
  if (!settings_.quarantine.empty()) {
    if (auto ok = supervisor_.start({"git-gate", OnDeath::restart, [this] { return git_gate(); }}); !ok)
      return failed(ok);
  }
  if (auto ok = supervisor_.start({"dns", OnDeath::restart, [this] { return dns(); }}); !ok) return failed(ok);
  if (auto ok = supervisor_.start({"proxy", OnDeath::restart, [this] { return proxy(); }}); !ok) return failed(ok);
  if (!settings_.mcp_work.empty()) {
    if (auto ok = supervisor_.start({"mcp-gateway", OnDeath::restart, [this] { return mcp_gateway(); }}); !ok)
      return failed(ok);
  }
  if (auto ok = supervisor_.start({"bridge", OnDeath::end_session, [this] { return bridge(); }}); !ok)
    return failed(ok);
  return supervisor_.start({"qemu", OnDeath::end_session, [this] { return machine(); }});
}

Result<void> House::open_sockets() {
  for (const auto& [name, socket] :
       {std::pair{"dlp", &dlp_socket_}, std::pair{"git", &git_socket_}, std::pair{"mcp", &mcp_socket_},
        std::pair{kMcpLoginSocket, &login_socket_}, std::pair{"dns", &dns_socket_}, std::pair{"proxy", &proxy_socket_},
        std::pair{"tools", &tools_socket_}, std::pair{"vhost", &vhost_socket_}, std::pair{"host", &host_socket_}}) {
    auto fd = listen_on(socket_path(name));
    if (!fd) return failed(fd);
    *socket = std::move(*fd);
  }
  return {};
}

Result<ProcessSpec> House::gate(std::string_view binary) const {
  auto program = house_binary(binary);
  if (!program) return failed(program);
  ProcessSpec spec;
  spec.program = std::move(*program);
  spec.output = messages_.write_end();
  add(spec, {"--session", settings_.session});
  return spec;
}

void House::let_record(ProcessSpec& spec) const { add(spec, {"--audit", settings_.audit}); }

Result<void> House::let_judge(ProcessSpec& spec, const std::string& name) const {
  auto control = policy_.attach(name);
  if (!control) return failed(control);
  spec.inherited.push_back(std::move(*control));
  add(spec, {"--policy-snapshot", policy_.snapshot()});
  add(spec, {"--control", fmt::format("fd:{}", inherited_number(spec, spec.inherited.size() - 1))});
  for (const char* variable : kDataVariables) {
    if (const char* value = std::getenv(variable)) spec.environment.push_back(fmt::format("{}={}", variable, value));
  }
  return {};
}

Result<void> House::let_link(ProcessSpec& spec) const {
  auto key = pipe_of({handed_.call_key.view()});
  if (!key) return failed(key, "key for calls of tools");
  spec.inherited.push_back(std::move(*key));
  add(spec, {"--call-key", fmt::format("fd:{}", inherited_number(spec, spec.inherited.size() - 1))});
  return {};
}

// Writes no rows: what it finds goes to the gate that asked.
Result<ProcessSpec> House::dlp() const {
  auto spec = gate("gatehouse-dlp");
  if (!spec) return spec;
  spec->sockets = {{dlp_socket_.get(), "dlp"}};
  if (auto ok = let_judge(*spec, "dlp"); !ok) return failed(ok);
  add(*spec, {"--cache", settings_.cache});
  auto secrets = pipe_of({handed_.scanner_secrets.view()});
  if (!secrets) return failed(secrets, "secrets");
  spec->inherited.push_back(std::move(*secrets));
  add(*spec, {"--secrets", fmt::format("fd:{}", inherited_number(*spec, 1))});
  spec->without_network = true;
  return spec;
}

// Writes no rows either: the proxy is told.
Result<ProcessSpec> House::git_gate() const {
  auto spec = gate("gatehouse-git-gate");
  if (!spec) return spec;
  spec->sockets = {{git_socket_.get(), "git"}};
  if (auto ok = let_judge(*spec, "git-gate"); !ok) return failed(ok);
  add(*spec, {"--dlp", "unix:" + socket_path("dlp"), "--quarantine", settings_.quarantine});
  spec->without_network = true;
  return spec;
}

// With the host's network: servers are its descendants.
Result<ProcessSpec> House::mcp_gateway() const {
  auto spec = gate("gatehouse-mcp-gateway");
  if (!spec) return spec;
  spec->sockets = {{mcp_socket_.get(), "mcp"}, {login_socket_.get(), "login"}};  // of which the bridge knows the first
  if (auto ok = let_judge(*spec, "mcp-gateway"); !ok) return failed(ok);
  let_record(*spec);
  add(*spec, {"--dlp", "unix:" + socket_path("dlp"), "--approvals", "unix:" + ask_socket()});
  add(*spec, {"--work", settings_.mcp_work, "--pins", settings_.mcp_pins});
  add(*spec, {"--proxy", "unix:" + socket_path("tools")});
  auto secrets = pipe_of({handed_.server_secrets.view()});
  if (!secrets) return failed(secrets, "secrets of servers");
  spec->inherited.push_back(std::move(*secrets));
  add(*spec, {"--secrets", fmt::format("fd:{}", inherited_number(*spec, 1))});
  auto own = pipe_of({handed_.client_secrets.view()});
  if (!own) return failed(own, "secrets of the MCP gateway");
  spec->inherited.push_back(std::move(*own));
  add(*spec, {"--client-secrets", fmt::format("fd:{}", inherited_number(*spec, 2)), "--tokens", settings_.mcp_tokens});
  if (auto ok = let_link(*spec); !ok) return failed(ok);
  return spec;
}

Result<ProcessSpec> House::dns() const {
  auto spec = gate("gatehouse-dns");
  if (!spec) return spec;
  spec->sockets = {{dns_socket_.get(), "dns"}};
  if (auto ok = let_judge(*spec, "dns"); !ok) return failed(ok);
  let_record(*spec);
  add(*spec, {"--dlp", "unix:" + socket_path("dlp")});
  spec->without_network = true;
  return spec;
}

Result<ProcessSpec> House::proxy() const {
  auto spec = gate("gatehouse-proxy");
  if (!spec) return spec;
  spec->sockets = {{proxy_socket_.get(), "transparent"}, {tools_socket_.get(), "tools"}};
  if (auto ok = let_judge(*spec, "proxy"); !ok) return failed(ok);
  let_record(*spec);
  add(*spec, {"--dns", "unix:" + socket_path("dns"), "--dlp", "unix:" + socket_path("dlp")});
  add(*spec, {"--approvals", "unix:" + ask_socket()});
  if (!settings_.quarantine.empty()) add(*spec, {"--git-gate", "unix:" + socket_path("git")});
  if (!settings_.upstream_ca.empty()) add(*spec, {"--upstream-ca", settings_.upstream_ca});
  auto ca = pipe_of({handed_.ca.certificate, handed_.ca.key.view()});
  if (!ca) return failed(ca, "session CA");
  spec->inherited.push_back(std::move(*ca));
  add(*spec, {"--ca", fmt::format("fd:{}", inherited_number(*spec, 1))});
  auto credentials = pipe_of({handed_.proxy_credentials.view()});
  if (!credentials) return failed(credentials, "credentials");
  spec->inherited.push_back(std::move(*credentials));
  add(*spec, {"--credentials", fmt::format("fd:{}", inherited_number(*spec, 2))});
  if (!settings_.mcp_work.empty()) {
    if (auto ok = let_link(*spec); !ok) return failed(ok);
  }
  return spec;
}

Result<ProcessSpec> House::bridge() const {
  auto spec = gate("gatehouse-bridge");
  if (!spec) return spec;
  let_record(*spec);
  add(*spec, {"--guest-port", fmt::format("{}=unix:{}", ipc::kDnsPort, socket_path("dns"))});
  add(*spec, {"--guest-port", fmt::format("{}=unix:{}", ipc::kTcpPort, socket_path("proxy"))});
  if (!settings_.mcp_work.empty()) {
    add(*spec, {"--guest-port", fmt::format("{}=unix:{}", ipc::kMcpPort, socket_path("mcp"))});
  }
  spec->sockets = {{vhost_socket_.get(), "vhost"}, {host_socket_.get(), "host"}};
  spec->without_network = true;
  return spec;
}

Result<ProcessSpec> House::machine() const {
  auto program = find_program(kQemu);
  if (!program) return failed(program);
  ProcessSpec spec;
  spec.program = std::move(*program);
  spec.output = messages_.write_end();
  Fd console(::dup(console_.write_end()));
  if (!console) return fail_errno("cannot pass the console on");
  spec.inherited.push_back(std::move(console));
  VmSettings vm = settings_.vm;
  vm.console = fmt::format("/dev/fd/{}", inherited_number(spec, 0));
  spec.arguments = vm_arguments(vm);
  spec.without_network = true;
  return spec;
}

}  // namespace gatehouse::launcher
