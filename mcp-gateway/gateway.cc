#include "mcp-gateway/gateway.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/mcp/shown_name.h"
#include "mcp-gateway/listing.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kUnlistedRule = "mcp.unlisted";
constexpr std::string_view kApprovedRule = "mcp.approved";
constexpr std::string_view kClosedRule = "default-deny";
constexpr size_t kMaxNamesOfRow = 64;
constexpr std::string_view kNamePutAway = "[a name that the scanner finds something in]";

// "server__tool" taken apart; a server's name has no "__".
std::pair<std::string, std::string> split(const std::string& shown) {
  const size_t at = shown.find(kBetweenNames);
  if (at == std::string::npos) return {"", shown};
  return {shown.substr(0, at), shown.substr(at + kBetweenNames.size())};
}

}  // namespace

Gateway::Gateway(CallTools tools, PinFile pins, Callbacks callbacks)
    : tools_(std::move(tools)),
      callbacks_(std::move(callbacks)),
      pins_(std::move(pins)),
      patience_(tools_.loop,
                [this] {
                  for (const auto& server : std::set<std::string>(unlisted_)) settle(server);
                }),
      pin_watch_(tools_.loop, [this] { look_at_pins(); }) {
  tools_.upstream = [this](const std::string& server) { return upstream(server); };
  for (const auto& server : tools_.policy.get()->mcp_servers()) {
    const std::string& name = server.name;
    unlisted_.insert(name);
    upstreams_.emplace(name, std::make_unique<Upstream>(Upstream::Callbacks{
                                 [this, name](const Outgoing& message) { callbacks_.write(name, message); },
                                 [this, name](std::vector<Value> definitions) { listed(name, std::move(definitions)); },
                                 [this, name](const Error& why) { callbacks_.broken(name, why); }}));
  }
  patience_.start(kListingTime);
  pin_watch_.repeat(kPinsTime);
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
  // One under way is given up.
  listing = std::make_unique<Listing>(tools_, server, std::move(definitions), [this, server](std::vector<Tool> tools) {
    listings_.erase(server);  // it is what calls
    listed_[server] = std::move(tools);
    show(server);
    settle(server);
  });
}

void Gateway::show(const std::string& server) {
  const auto policy = tools_.policy.get();
  const auto& servers = policy->mcp_servers();
  const auto declared =
      std::find_if(servers.begin(), servers.end(), [&](const auto& one) { return one.name == server; });
  std::vector<Tool> wanted;
  std::vector<std::string_view> closed;
  for (const auto& tool : listed_[server]) {
    if (declared == servers.end() || !policy->may_call(server, tool.name)) {
      closed.push_back(tool.name_is_clean ? std::string_view(tool.name) : kNamePutAway);
      continue;
    }
    // Which of two look-alikes is the first is not for the faster server to say: tools that nobody has seen yet wait
    // until all servers have listed theirs, and are taken in the order in which the policy names them.
    if (settled() || pins_.knows(*declared, tool.name)) wanted.push_back(tool);
  }
  record_closed(server, closed);
  std::vector<Pins::Judged> judged;
  if (!wanted.empty()) {
    judged = pins_.judge(servers, *declared, wanted,
                         [&](const std::string& of, const std::string& tool) { return policy->may_call(of, tool); });
  }
  std::vector<Tool> shown;
  auto before = std::exchange(withheld_[server], {});
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto known = before.find(wanted[i].name);
    if (judged[i].objection) {
      Withheld now{std::move(*judged[i].objection), wanted[i].pin};
      const bool told =
          known != before.end() && known->second.why.reason == now.why.reason && known->second.pin == now.pin;
      if (!told) record(wanted[i], now.why);
      withheld_[server].emplace(wanted[i].name, std::move(now));
      continue;
    }
    if (known != before.end() && !judged[i].approved_by.empty()) {
      record(wanted[i],
             {Verdict::allow, std::string(kApprovedRule), judged[i].approved_by + " approved its definition"});
    }
    shown.push_back(std::move(wanted[i]));
  }
  if (!catalogue_.replace(server, std::move(shown))) return;
  for (const auto& client : clients_) client->tools_changed();
}

void Gateway::show_all() {
  const auto policy = tools_.policy.get();
  for (const auto& server : policy->mcp_servers()) {
    if (listed_.contains(server.name)) show(server.name);
  }
  for (const auto& of : listed_) {
    const std::string& name = of.first;
    const auto& servers = policy->mcp_servers();
    const bool declared =
        std::any_of(servers.begin(), servers.end(), [&](const auto& server) { return server.name == name; });
    if (!declared) show(name);
  }
}

void Gateway::record(const Tool& tool, Decision decision) {
  const std::string name(tool.name_is_clean ? std::string_view(tool.name) : kNamePutAway);
  decision.reason = (decision.allowed() ? "the tool is shown: " : "the tool is not shown: ") + decision.reason;
  record(tool.server, name, tool.pin, std::move(decision));
}

// One row for all that the policy lets nobody call, when that is news.
void Gateway::record_closed(const std::string& server, const std::vector<std::string_view>& names) {
  std::string words;
  for (size_t i = 0; i < std::min(names.size(), kMaxNamesOfRow); ++i)
    words += fmt::format("{}{}", i > 0 ? ", " : "", names[i]);
  if (names.size() > kMaxNamesOfRow) words += fmt::format(" and {} more", names.size() - kMaxNamesOfRow);
  if (std::exchange(closed_[server], words) == words) return;
  if (words.empty()) words = "none";
  record(server, "", "", {Verdict::deny, std::string(kClosedRule), "tools that no rule could let be called: " + words});
}

// A row of what becomes of tools. A server that brings ever new ones has no more of them than others have.
void Gateway::record(const std::string& server, const std::string& tool, const std::string& pin, Decision decision) {
  size_t& written = rows_of_tools_[server];
  if (written++ >= kMaxRowsOfTools) {
    if (written == kMaxRowsOfTools + 1) log::warn("what else server '{}' lists is not put on record", server);
    return;
  }
  log::info("tool '{}' of server '{}': {}", tool, server, log::printable(decision.reason, 300));
  audit::McpCall row;
  row.trace_id = make_uuid();
  row.decision = std::move(decision);
  row.method = "tools/list";
  row.server = server;
  row.tool = tool;
  row.arguments = "{}";
  row.pin = pin;
  tools_.record(std::move(row), [](const Result<void>&) {});
}

void Gateway::settle(const std::string& server) {
  if (unlisted_.erase(server) == 0 || !unlisted_.empty()) return;
  patience_.stop();
  show_all();
  for (const auto& client : clients_) client->settled();
}

void Gateway::passed_over(const std::string& server) {
  listings_.erase(server);
  settle(server);
}

void Gateway::policy_changed() { show_all(); }

void Gateway::look_at_pins() {
  if (pins_.refresh()) show_all();
}

Client* Gateway::add_client(Client::Callbacks callbacks) {
  return clients_.emplace_back(std::make_unique<Client>(*this, std::move(callbacks))).get();
}

void Gateway::remove_client(Client* client) {
  clients_.remove_if([client](const auto& one) { return one.get() == client; });
}

void Gateway::turned_away() {
  if (auto row = refusals_.turned_away(std::chrono::steady_clock::now())) {
    tools_.record(std::move(*row), [](const Result<void>&) {});
  }
}

void Gateway::refused(int code, std::string_view method) {
  if (auto row = refusals_.refused(code, method, std::chrono::steady_clock::now())) {
    tools_.record(std::move(*row), [](const Result<void>&) {});
  }
}

Decision Gateway::objection_to(const std::string& server, const std::string& tool) const {
  if (const auto of = withheld_.find(server); of != withheld_.end()) {
    if (const auto known = of->second.find(tool); known != of->second.end()) return known->second.why;
  }
  return {Verdict::deny, std::string(kUnlistedRule),
          settled() ? "there is no such tool here; tools/list shows those there are"
                    : "not all servers have listed their tools yet; try again in a moment"};
}

std::unique_ptr<Call> Gateway::call(const std::string& shown, Value arguments, Call::Callbacks callbacks) {
  Call::Asked asked;
  asked.room = std::make_unique<Room::Share>(room_);
  asked.arguments_bytes = json::write(arguments).size();
  if (!asked.room->resize(asked.arguments_bytes)) return nullptr;
  asked.shown = shown;
  if (const Tool* tool = catalogue_.find(shown)) {
    asked.server = tool->server;
    asked.tool = tool->name;
    asked.pin = tool->pin;
    if (const Value* schema = find(tool->definition, "inputSchema")) asked.schema = *schema;
  } else {
    std::tie(asked.server, asked.tool) = split(shown);
    if (!upstreams_.contains(asked.server)) asked.server.clear();
    const auto known = listed_.find(asked.server);
    asked.listed = known != listed_.end() &&
                   std::any_of(known->second.begin(), known->second.end(),
                               [&](const Tool& one) { return one.name == asked.tool && one.name_is_clean; });
    asked.withheld = objection_to(asked.server, asked.tool);
  }
  asked.arguments = std::move(arguments);
  return std::make_unique<Call>(tools_, std::move(asked), std::move(callbacks));
}

}  // namespace gatehouse::mcp
