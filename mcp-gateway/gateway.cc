#include "mcp-gateway/gateway.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/mcp/shown_name.h"
#include "mcp-gateway/listing.h"
#include "mcp-gateway/log_level.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kApprovedRule = "mcp.approved";
constexpr std::string_view kClosedRule = "default-deny";
constexpr size_t kMaxNamesOfRow = 64;
constexpr std::string_view kNamePutAway = "[a name that the scanner finds something in]";

// What a server may ask of clients, as their capabilities.
Value questions_of(const policy::McpServer& server) {
  Value questions = Value::object();
  for (const auto ask : server.asks) {
    const auto name = std::string(policy::kMcpAskNames[static_cast<size_t>(ask)]);
    questions[name] = Value::object();
    if (ask == policy::McpAsk::elicitation) questions[name] = {{"form", Value::object()}, {"url", Value::object()}};
  }
  return questions;
}

}  // namespace

Gateway::Gateway(CallTools tools, PinFile pins, Callbacks callbacks)
    : tools_(std::move(tools)),
      callbacks_(std::move(callbacks)),
      pins_(std::move(pins)),
      patience_(tools_.loop,
                [this] {
                  for (const auto& list : std::set<List>(unlisted_)) settle(list);
                }),
      tick_(tools_.loop, [this] { tick(); }) {
  tools_.upstream = [this](const std::string& server) { return upstream(server); };
  for (const auto& server : tools_.policy.get()->mcp_servers()) {
    const std::string& name = server.name;
    for (const auto kind : kListKinds) unlisted_.insert({name, kind});
    Upstream::Callbacks told;
    told.send = [this, name](const Outgoing& message) { callbacks_.write(name, message); };
    told.listed = [this, name](ListKind kind, std::vector<Value> definitions) {
      listed(name, kind, std::move(definitions));
    };
    told.broken = [this, name](const Error& why) { callbacks_.broken(name, why); };
    told.updated = [this, name](const std::string& uri) { updated(name, uri); };
    told.logged = [this, name](Value params) { logged(name, std::move(params)); };
    upstreams_.emplace(name, std::make_unique<Upstream>(std::move(told), questions_of(server)));
  }
  patience_.start(kListingTime);
  tick_.repeat(kPinsTime);
}

Gateway::~Gateway() {
  closing_ = true;
  clients_.clear();  // with their calls, which speak to upstreams
}

void Gateway::tick() {
  look_at_pins();
  held_.tick(std::chrono::steady_clock::now());
  for (const auto& [name, upstream] : upstreams_) upstream->tick();
}

Upstream* Gateway::upstream(const std::string& server) {
  const auto found = upstreams_.find(server);
  return found == upstreams_.end() ? nullptr : found->second.get();
}

const policy::McpServer* Gateway::declared(const policy::Policy& policy, const std::string& server) const {
  const auto& servers = policy.mcp_servers();
  const auto found = std::find_if(servers.begin(), servers.end(), [&](const auto& one) { return one.name == server; });
  return found == servers.end() ? nullptr : &*found;
}

void Gateway::listed(const std::string& server, ListKind kind, std::vector<Value> definitions) {
  callbacks_.greeted(server);
  const auto policy = tools_.policy.get();
  const auto* of = declared(*policy, server);
  const List list{server, kind};
  auto& listing = listings_[list];
  // One under way is given up.
  listing = std::make_unique<Listing>(tools_, server, kind, of != nullptr && of->own_names, std::move(definitions),
                                      [this, list](std::vector<Item> items) {
                                        listings_.erase(list);  // it is what calls
                                        away_.erase(list.first);
                                        listed_[list] = std::move(items);
                                        show(list);
                                        settle(list);
                                      });
}

// Whether some rule could let it be used.
bool Gateway::may_use(const policy::Policy& policy, const Item& item) const {
  if (declared(policy, item.server) == nullptr) return false;
  switch (item.kind) {
    case ListKind::tools:
      return policy.may_call(item.server, item.name);
    case ListKind::prompts:
      return policy.may_prompt(item.server, item.name);
    case ListKind::resources:
      return policy.may_read(item.server, item.name);
    case ListKind::templates:
      return policy.may_read_some(item.server);
  }
  return false;
}

void Gateway::show(const List& list) {
  if (list.second == ListKind::tools) return show_tools(list.first);
  show_others(list);
}

void Gateway::show_tools(const std::string& server) {
  const auto policy = tools_.policy.get();
  const List list{server, ListKind::tools};
  const auto* of = declared(*policy, server);
  std::vector<Item> wanted;
  std::vector<std::string_view> closed;
  for (const auto& tool : listed_[list]) {
    if (!may_use(*policy, tool)) {
      closed.push_back(tool.name_is_clean ? std::string_view(tool.name) : kNamePutAway);
      continue;
    }
    // Which of two look-alikes is the first is not for the faster server to say: tools that nobody has seen yet wait
    // until all servers have listed theirs, and are taken in the order in which the policy names them.
    if (settled() || pins_.knows(*of, tool.name)) wanted.push_back(tool);
  }
  record_closed(list, closed);
  std::vector<Pins::Judged> judged;
  if (!wanted.empty()) {
    judged = pins_.judge(policy->mcp_servers(), *of, wanted,
                         [&](const std::string& one, const std::string& tool) { return policy->may_call(one, tool); });
  }
  std::vector<Item> shown;
  auto before = std::exchange(withheld_[list], {});
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto known = before.find(wanted[i].name);
    if (judged[i].objection) {
      Withheld now{std::move(*judged[i].objection), wanted[i].pin};
      const bool told =
          known != before.end() && known->second.why.reason == now.why.reason && known->second.pin == now.pin;
      if (!told) record(wanted[i], now.why);
      withheld_[list].emplace(wanted[i].name, std::move(now));
      continue;
    }
    if (known != before.end() && !judged[i].approved_by.empty()) {
      record(wanted[i],
             {Verdict::allow, std::string(kApprovedRule), judged[i].approved_by + " approved its definition"});
    }
    shown.push_back(std::move(wanted[i]));
  }
  put_up(list, std::move(shown));
}

// Prompts, resources and templates are not pinned: what they come to is looked through whenever it is read.
void Gateway::show_others(const List& list) {
  const auto policy = tools_.policy.get();
  std::vector<Item> shown;
  std::vector<std::string_view> closed;
  auto before = std::exchange(withheld_[list], {});
  for (const auto& item : listed_[list]) {
    if (!may_use(*policy, item)) {
      closed.push_back(item.name_is_clean ? std::string_view(item.name) : kNamePutAway);
      continue;
    }
    if (!item.suspicion) {
      shown.push_back(item);
      continue;
    }
    const auto known = before.find(item.name);
    if (known == before.end() || known->second.pin != item.pin) record(item, item.suspicion->why);
    withheld_[list].emplace(item.name, Withheld{item.suspicion->why, item.pin});
  }
  record_closed(list, closed);
  put_up(list, std::move(shown));
}

void Gateway::put_up(const List& list, std::vector<Item> shown) {
  if (!catalogues_[static_cast<size_t>(list.second)].replace(list.first, std::move(shown))) return;
  for (const auto& client : clients_) client->changed(list.second);
}

// In the order of the policy, then what it names no longer.
void Gateway::show_all() {
  const auto policy = tools_.policy.get();
  std::set<std::string> servers;
  for (const auto& [list, items] : listed_) servers.insert(list.first);
  std::vector<std::string> in_order;
  for (const auto& server : policy->mcp_servers()) {
    if (servers.erase(server.name) > 0) in_order.push_back(server.name);
  }
  in_order.insert(in_order.end(), servers.begin(), servers.end());
  for (const auto& server : in_order) {
    for (const auto kind : kListKinds) {
      if (listed_.contains({server, kind})) show({server, kind});
    }
  }
}

void Gateway::record(const Item& item, Decision decision) {
  const std::string name(item.name_is_clean ? std::string_view(item.name) : kNamePutAway);
  decision.reason =
      fmt::format("the {} is {}shown: {}", words_of(item.kind).one, decision.allowed() ? "" : "not ", decision.reason);
  record({item.server, item.kind}, name, item.pin, std::move(decision));
}

// One row for all that the policy lets nobody use, when that is news.
void Gateway::record_closed(const List& list, const std::vector<std::string_view>& names) {
  std::string words;
  for (size_t i = 0; i < std::min(names.size(), kMaxNamesOfRow); ++i)
    words += fmt::format("{}{}", i > 0 ? ", " : "", names[i]);
  if (names.size() > kMaxNamesOfRow) words += fmt::format(" and {} more", names.size() - kMaxNamesOfRow);
  if (std::exchange(closed_[list], words) == words) return;
  if (words.empty()) words = "none";
  record(list, "", "",
         {Verdict::deny, std::string(kClosedRule),
          fmt::format("{}s that no rule could let be {}: {}", words_of(list.second).one,
                      list.second == ListKind::tools ? "called" : "used", words)});
}

// A row of what becomes of what a server has. One that brings ever new things has no more of them than others have.
void Gateway::record(const List& list, const std::string& name, const std::string& pin, Decision decision) {
  const auto& [server, kind] = list;
  size_t& written = rows_of_tools_[server];
  if (written++ >= kMaxRowsOfTools) {
    if (written == kMaxRowsOfTools + 1) log::warn("what else server '{}' lists is not put on record", server);
    return;
  }
  log::info("{} '{}' of server '{}': {}", words_of(kind).one, log::printable(name, 300), server,
            log::printable(decision.reason, 300));
  audit::McpCall row;
  row.trace_id = make_uuid();
  row.decision = std::move(decision);
  row.method = words_of(kind).method;
  row.server = server;
  row.tool = name;
  row.arguments = "{}";
  row.pin = pin;
  tools_.record(std::move(row), [](const Result<void>&) {});
}

void Gateway::settle(const List& list) {
  if (unlisted_.erase(list) == 0 || !unlisted_.empty()) return;
  patience_.stop();
  show_all();
  for (const auto& client : clients_) client->settled();
}

void Gateway::passed_over(const std::string& server, std::string_view why, std::string_view rule) {
  if (!why.empty()) {
    away_[server] = {Verdict::deny, std::string(rule.empty() ? kUnlistedRule : rule),
                     fmt::format("the server '{}' is away: {}", server, why)};
  }
  for (const auto kind : kListKinds) listings_.erase({server, kind});
  for (const auto kind : kListKinds) settle({server, kind});
}

void Gateway::policy_changed() { show_all(); }

void Gateway::look_at_pins() {
  if (pins_.refresh()) show_all();
}

Client* Gateway::add_client(Client::Callbacks callbacks, bool stateless) {
  return clients_.emplace_back(std::make_unique<Client>(*this, std::move(callbacks), stateless)).get();
}

void Gateway::remove_client(Client* client) {
  const auto found =
      std::find_if(clients_.begin(), clients_.end(), [client](const auto& one) { return one.get() == client; });
  if (found == clients_.end()) return;
  const auto gone = std::move(*found);  // it may ask who else is here
  clients_.erase(found);
}

void Gateway::unwatched(const std::string& shown) {
  if (closing_) return;
  for (const auto& client : clients_) {
    if (client->watches(shown)) return;
  }
  const auto policy = tools_.policy.get();
  for (const auto& server : policy->mcp_servers()) {
    const auto uri = uri_of(server.name, shown, server.own_names);
    if (!uri) continue;
    if (Upstream* of = upstream(server.name)) of->unwatch(*uri);
    return;
  }
}

void Gateway::updated(const std::string& server, const std::string& uri) {
  const auto policy = tools_.policy.get();
  const auto* of = declared(*policy, server);
  if (of == nullptr || !policy->may_read(server, uri)) return;
  const auto shown = shown_as(ListKind::resources, server, uri, of->own_names);
  for (const auto& client : clients_) client->updated(shown);
}

// Each server is to say what the most curious of the clients wants to know.
void Gateway::log_levels_changed() {
  std::optional<size_t> least;
  for (const auto& client : clients_) {
    if (const auto severity = severity_of(client->log_level())) least = std::min(least.value_or(*severity), *severity);
  }
  if (!least) return;
  for (const auto& [name, upstream] : upstreams_) upstream->set_log_level(std::string(kLogLevels[*least]));
}

void Gateway::logged(const std::string& server, Value params) {
  if (clients_.empty() || log_scans_.size() >= kMaxLogScans) return;
  const auto number = next_log_scan_++;
  const dlp::StreamInfo info{"mcp", dlp::Direction::in, scan_host(server), make_uuid()};
  log_scans_[number] = std::make_unique<TextScan>(tools_.scanner, info, "log message", params,
                                                  [this, number, info, params](const Looked& looked) {
                                                    const auto scan = log_scans_.extract(number);  // it is what calls
                                                    for (auto& row : finding_rows(looked, info)) {
                                                      tools_.record(std::move(row), [](const Result<void>&) {});
                                                    }
                                                    if (looked.decision.verdict == Verdict::deny) return;
                                                    for (const auto& client : clients_) client->logged(params);
                                                  });
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

}  // namespace gatehouse::mcp
