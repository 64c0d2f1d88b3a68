// All servers of the policy, whether they are started here or are elsewhere.
#pragma once

#include <optional>
#include <vector>

#include "mcp-gateway/http_links.h"
#include "mcp-gateway/processes.h"

namespace gatehouse::mcp {

class Servers {
 public:
  // `spawner` starts those with a command (start_spawner); `proxy` leads to those with a URL.
  Servers(Loop& loop, const std::vector<policy::McpServer>& servers, Fd spawner, std::optional<Endpoint> proxy,
          Oauth oauth, std::function<void(audit::ProcessEvent)> record)
      : processes_(loop, servers, std::move(spawner), std::move(record)),
        links_(loop, servers, std::move(proxy), std::move(oauth)) {}

  HttpLinks& links() { return links_; }

  // What the gateway tells them by; each kind passes over servers that are the other's.
  Gateway::Callbacks callbacks() {
    const auto here = processes_.callbacks(), elsewhere = links_.callbacks();
    return {
        .write = [=](const auto& server, const auto& said) { here.write(server, said), elsewhere.write(server, said); },
        .greeted = [=](const auto& server) { here.greeted(server), elsewhere.greeted(server); },
        .broken = [=](const auto& server,
                      const auto& why) { here.broken(server, why), elsewhere.broken(server, why); }};
  }

  void start(Gateway& gateway) {
    processes_.start(gateway);
    links_.start(gateway);
  }
  // Takes leave of those that are elsewhere.
  void end() { links_.end(); }

 private:
  Processes processes_;
  HttpLinks links_;
};

}  // namespace gatehouse::mcp
