// The house of one session: its listening sockets, and what each of its processes is started with.
#pragma once

#include <string>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/secret_bytes.h"
#include "common/tls/ca.h"
#include "launcher/captured_log.h"
#include "launcher/policy_keeper.h"
#include "launcher/supervisor.h"
#include "launcher/vm.h"

namespace gatehouse::launcher {

struct HouseSettings {
  std::string session;
  std::string directory;    // for the sockets
  std::string audit;        // path of the audit log
  std::string cache;        // where the scanner keeps its compiled tables
  std::string upstream_ca;  // PEM file for upstream certificates besides the system's; empty for none
  std::string quarantine;   // folder for the git gate; empty: nothing may be pushed, and there is none
  std::string mcp_work;     // folder for servers of tools; empty: the policy declares none, and there is no MCP gateway
  std::string mcp_pins;     // what was approved of their tools
  std::string mcp_tokens;   // what people's logins to them came to
  VmSettings vm;            // vhost_socket and console are filled in here
};

// Starts and holds the processes: gates first, the machine last. Everything given to the constructor must outlive it.
class House {
 public:
  // What each gate is handed over a pipe; see secrets.h.
  struct Handed {
    tls::SessionCa ca;
    SecretBytes scanner_secrets;
    SecretBytes proxy_credentials;
    SecretBytes server_secrets;
    SecretBytes client_secrets;
    SecretBytes call_key;  // of proxy and MCP gateway, by which they know each other's calls of tools
  };
  House(Loop& loop, HouseSettings settings, const Handed& handed, PolicyKeeper& policy, const CapturedLog& messages,
        const CapturedLog& console, Supervisor::Callbacks callbacks);

  Result<void> start();

  // Ends every process; see Supervisor::stop.
  void stop() { supervisor_.stop(); }

  // Where the bridge takes connections to the guest.
  std::string host_socket() const { return socket_path("host"); }
  // Where gates ask for approval: to be listened on by the session.
  std::string ask_socket() const { return socket_path("ask"); }

  // Ends a gate, which is then started again.
  void restart(const std::string& name) { supervisor_.kill(name); }

  // Whether that is one of the house's processes.
  bool runs(pid_t pid) const { return supervisor_.runs(pid); }

 private:
  std::string socket_path(std::string_view name) const { return settings_.directory + "/" + std::string(name); }
  Result<void> open_sockets();
  Result<ProcessSpec> gate(std::string_view binary) const;  // with the options every gate takes
  void let_record(ProcessSpec& spec) const;                 // with the audit log
  // With the policy, now and later; once spec.sockets is complete.
  Result<void> let_judge(ProcessSpec& spec, const std::string& name) const;
  Result<void> let_link(ProcessSpec& spec) const;  // with the key for calls of tools
  Result<ProcessSpec> dlp() const;
  Result<ProcessSpec> git_gate() const;
  Result<ProcessSpec> mcp_gateway() const;
  Result<ProcessSpec> dns() const;
  Result<ProcessSpec> proxy() const;
  Result<ProcessSpec> bridge() const;
  Result<ProcessSpec> machine() const;

  HouseSettings settings_;
  const Handed& handed_;
  PolicyKeeper& policy_;
  const CapturedLog& messages_;
  const CapturedLog& console_;
  Fd dlp_socket_;
  Fd git_socket_;
  Fd mcp_socket_;
  Fd login_socket_;
  Fd dns_socket_;
  Fd proxy_socket_;
  Fd tools_socket_;  // of the proxy, for the MCP gateway
  Fd vhost_socket_;
  Fd host_socket_;
  Supervisor supervisor_;  // ends the children before the sockets close
};

}  // namespace gatehouse::launcher
