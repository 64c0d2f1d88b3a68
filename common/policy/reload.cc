// What a policy cannot change while a session runs.
#include <algorithm>

#include "common/policy/compiled.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kRestart = "restart the session";

template <class T, class Key>
const T* find(const std::vector<T>& list, const std::string& name, Key key) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const T& one) { return one.*key == name; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

Result<void> Policy::check_replaces(const Policy& started) const {
  const auto refuse = [this](const std::string& secret, std::string_view what) -> Result<void> {
    const auto message = fmt::format("the secret '{}' {}; {}", secret, what, kRestart);
    for (const auto& layer : compiled_->layers) {
      for (const auto& entry : layer->layer.secrets) {
        if (entry.source.name == secret) return tl::unexpected(entry.place.error(message));
      }
    }
    return tl::unexpected(Error(message));
  };
  for (const auto& source : started.secrets()) {
    if (find(secrets(), source.name, &SecretSource::name)) continue;
    return refuse(source.name, "is no longer named, and the scanner knows it until the end");
  }
  for (const auto& source : secrets()) {
    const auto* before = find(started.secrets(), source.name, &SecretSource::name);
    if (before == nullptr) return refuse(source.name, "is new, and values are read when a session starts");
    if (*before != source)
      return refuse(source.name, "comes from elsewhere, and values are read when a session starts");
  }
  for (const auto& server : mcp_servers()) {
    const auto* before = find(started.mcp_servers(), server.name, &McpServer::name);
    if (before != nullptr && *before == server) continue;
    const auto message = fmt::format("the MCP server '{}' {}, and servers are started with the session; {}",
                                     server.name, before == nullptr ? "is new" : "is another one", kRestart);
    for (const auto& layer : compiled_->layers) {
      for (const auto& entry : layer->layer.mcp.servers) {
        if (entry.server.name == server.name) return tl::unexpected(entry.place.error(message));
      }
    }
  }
  for (const auto& credential : credentials()) {
    const auto* before = find(started.credentials(), credential.secret, &Credential::secret);
    if (before == nullptr) return refuse(credential.secret, "goes to hosts, and the guest was given no placeholder");
    if (before->prefix != credential.prefix) {
      return refuse(credential.secret, "has another \"placeholder\" than the one the guest was given");
    }
  }
  return {};
}

}  // namespace gatehouse::policy
