#include "mcp-gateway/gateway.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kBetween = "__";
constexpr std::string_view kWithheldRule = "mcp.poisoned";
constexpr std::string_view kUnlistedRule = "mcp.unlisted";

// "server__tool" taken apart; a server's name has no "__".
std::pair<std::string, std::string> split(const std::string& shown) {
  const size_t at = shown.find(kBetween);
  if (at == std::string::npos) return {"", shown};
  return {shown.substr(0, at), shown.substr(at + kBetween.size())};
}

}  // namespace

// Looks through a server's tools, one at a time. What the scanner finds anything in that no exemption names is
// withheld: models read all of it as instructions.
class Gateway::Listing {
 public:
  Listing(Gateway& gateway, std::string server, std::vector<Value> definitions)
      : gateway_(gateway), server_(std::move(server)), definitions_(std::move(definitions)) {}

  void next() {
    if (at_ == definitions_.size()) {
      gateway_.tools_.loop.post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) gateway_.looked_through(server_, std::move(tools_));
      });
      return;
    }
    info_ = {"mcp", dlp::Direction::in, scan_host(server_), make_uuid()};
    scan_ = std::make_unique<TextScan>(gateway_.tools_.scanner, info_, "tool definition", definitions_[at_],
                                       [this](const Looked& looked) { looked_at(looked); });
  }

 private:
  void looked_at(const Looked& looked) {
    const auto scan = std::move(scan_);  // it is what calls
    const Value& definition = definitions_[at_++];
    Tool tool{server_, *find_text(definition, "name"), pin_of(definition), shown_definition(server_, definition)};
    const auto found = std::find_if(looked.findings.begin(), looked.findings.end(), [](const dlp::Finding& finding) {
      return finding.action != FindingAction::exempt;
    });
    if (looked.decision.verdict != Verdict::deny && found == looked.findings.end()) {
      tools_.push_back(std::move(tool));
      return next();
    }
    for (auto& row : finding_rows(looked, info_)) gateway_.tools_.record(std::move(row), [](const Result<void>&) {});
    audit::McpCall row;
    row.trace_id = info_.trace_id;
    const std::string why = looked.decision.verdict == Verdict::deny ? looked.decision.reason : dlp::describe(*found);
    row.decision = {Verdict::deny, std::string(kWithheldRule), "the tool is not shown: " + why};
    row.method = "tools/list";
    row.server = server_;
    row.tool = tool.name;
    row.arguments = "{}";
    row.pin = tool.pin;
    log::warn("tool '{}' of server '{}' is not shown: {}", tool.name, server_, log::printable(why));
    gateway_.tools_.record(std::move(row), [](const Result<void>&) {});
    next();
  }

  Gateway& gateway_;
  const std::string server_;
  const std::vector<Value> definitions_;
  size_t at_ = 0;
  dlp::StreamInfo info_;
  std::unique_ptr<TextScan> scan_;
  std::vector<Tool> tools_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Gateway::Gateway(CallTools tools, Callbacks callbacks)
    : tools_(std::move(tools)), callbacks_(std::move(callbacks)), patience_(tools_.loop, [this] {
        for (const auto& server : std::set<std::string>(unlisted_)) settle(server);
      }) {
  tools_.upstream = [this](const std::string& server) { return upstream(server); };
  for (const auto& server : tools_.policy.get()->mcp_servers()) {
    const std::string& name = server.name;
    unlisted_.insert(name);
    upstreams_.emplace(name, std::make_unique<Upstream>(Upstream::Callbacks{
                                 [this, name](std::string_view line) { callbacks_.write(name, line); },
                                 [this, name](std::vector<Value> definitions) { listed(name, std::move(definitions)); },
                                 [this, name](const Error& why) { callbacks_.broken(name, why); }}));
  }
  patience_.start(kListingTime);
}

Gateway::~Gateway() {
  clients_.clear();  // with their calls, which speak to upstreams
}

Upstream* Gateway::upstream(const std::string& server) {
  const auto found = upstreams_.find(server);
  return found == upstreams_.end() ? nullptr : found->second.get();
}

void Gateway::listed(const std::string& server, std::vector<Value> definitions) {
  callbacks_.greeted(server);
  auto& listing = listings_[server];
  listing = std::make_unique<Listing>(*this, server, std::move(definitions));  // one under way is given up
  listing->next();
}

void Gateway::looked_through(std::string server, std::vector<Tool> tools) {
  listings_.erase(server);
  sound_[server] = std::move(tools);
  show(server);
  settle(server);
}

void Gateway::show(const std::string& server) {
  const auto policy = tools_.policy.get();
  std::vector<Tool> shown;
  for (const auto& tool : sound_[server]) {
    if (policy->may_call(server, tool.name)) shown.push_back(tool);
  }
  if (!catalogue_.replace(server, std::move(shown))) return;
  for (const auto& client : clients_) client->tools_changed();
}

void Gateway::settle(const std::string& server) {
  if (unlisted_.erase(server) == 0 || !unlisted_.empty()) return;
  patience_.stop();
  for (const auto& client : clients_) client->settled();
}

void Gateway::passed_over(const std::string& server) {
  listings_.erase(server);
  settle(server);
}

void Gateway::policy_changed() {
  for (const auto& [server, tools] : sound_) show(server);
}

Client* Gateway::add_client(Client::Callbacks callbacks) {
  return clients_.emplace_back(std::make_unique<Client>(*this, std::move(callbacks))).get();
}

void Gateway::remove_client(Client* client) {
  clients_.remove_if([client](const auto& one) { return one.get() == client; });
}

std::unique_ptr<Call> Gateway::call(const std::string& shown, Value arguments, Call::Callbacks callbacks) {
  Call::Asked asked;
  asked.shown = shown;
  if (const Tool* tool = catalogue_.find(shown)) {
    asked.server = tool->server;
    asked.tool = tool->name;
    asked.pin = tool->pin;
    if (const Value* schema = find(tool->definition, "inputSchema")) asked.schema = *schema;
  } else {
    std::tie(asked.server, asked.tool) = split(shown);
    if (!upstreams_.contains(asked.server)) asked.server.clear();
    const auto known = sound_.find(asked.server);
    asked.listed = known != sound_.end() && std::any_of(known->second.begin(), known->second.end(),
                                                        [&](const Tool& one) { return one.name == asked.tool; });
    asked.withheld = Decision{Verdict::deny, std::string(kUnlistedRule),
                              "there is no such tool here; tools/list shows those there are"};
  }
  asked.arguments = std::move(arguments);
  return std::make_unique<Call>(tools_, std::move(asked), std::move(callbacks));
}

}  // namespace gatehouse::mcp
