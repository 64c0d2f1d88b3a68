// Word of changes: of a session for as long as it lasts, in 2026-07-28 for as long as the client listens
// (basic/patterns/subscriptions).
#include "mcp-gateway/client.h"

namespace gatehouse::mcp {

namespace {
constexpr std::string_view kSubscriptionKey = "io.modelcontextprotocol/subscriptionId";
constexpr std::string_view kUpdated = "notifications/resources/updated";
constexpr std::string_view kAcknowledged = "notifications/subscriptions/acknowledged";
}  // namespace

bool Client::watches(const std::string& uri) const {
  if (watched_.contains(uri)) return true;
  for (const auto& [key, listen] : listens_) {
    if (listen.uris.contains(uri)) return true;
  }
  for (const auto& [key, one] : exchanges_) {
    if (one.subscribes == uri) return true;
  }
  return false;
}

void Client::updated(const std::string& uri) {
  if (ready_ && watched_.contains(uri) && !callbacks_.crowded()) tell(kUpdated, {{"uri", uri}});
  for (const auto& [key, listen] : listens_) {
    if (listen.owed == 0 && listen.uris.contains(uri)) tell_listener(listen, kUpdated, {{"uri", uri}});
  }
}

void Client::unsubscribe(const Message& message) {
  const std::string* uri = find_text(message.params, "uri");
  if (uri == nullptr) return refuse(message.id, kInvalidParams, "\"uri\" of the resource is missing");
  if (watched_.erase(*uri) > 0) house_.unwatched(*uri);
  say(message.id, result_line(message.id, Value::object()));
}

void Client::listen(const Message& message) {
  const Value* wanted = find(message.params, "notifications");
  if (wanted == nullptr || !wanted->is_object()) {
    return refuse(message.id, kInvalidParams, "\"notifications\" must say what is listened to");
  }
  if (listens_.size() >= kMaxListensOfClient) return refuse(message.id, kBusy, "too much is listened to at once");
  Listen listen;
  listen.id = message.id;
  for (const auto* flag : {"toolsListChanged", "promptsListChanged", "resourcesListChanged"}) {
    const Value* asked = find(*wanted, flag);
    if (asked != nullptr && asked->is_boolean() && asked->get<bool>()) listen.granted[flag] = true;
  }
  std::set<std::string> uris;
  if (const Value* asked = find(*wanted, "resourceSubscriptions"); asked != nullptr && asked->is_array()) {
    for (const auto& uri : *asked) {
      if (const auto* text = uri.get_ptr<const std::string*>()) uris.insert(*text);
    }
  }
  if (uris.size() > kMaxWatchedOfClient || uris.size() + exchanges_.size() > kMaxCallsOfClient)
    return refuse(message.id, kBusy, "too many resources are watched");
  const std::string key = json::write(message.id);
  Listen& kept = listens_.emplace(key, std::move(listen)).first->second;
  kept.owed = uris.size() + 1;
  // Each is judged and put on record as a request of its own.
  for (const auto& uri : uris) {
    UnderWay under_way;
    under_way.id = message.id;
    under_way.terms = {kModern};
    under_way.subscribes = uri;
    under_way.listen = key;
    under_way.exchange = std::make_unique<Exchange>();
    auto call = house_.call({"resources/subscribe", {{"uri", uri}}}, under_way.exchange->callbacks());
    if (!call) {
      --kept.owed;
      continue;
    }
    under_way.exchange->own(std::move(*call));
    const std::string of_uri = key + " " + uri;
    exchanges_.emplace(of_uri, std::move(under_way));
    attach(of_uri);
  }
  if (--kept.owed == 0) acknowledge(kept);
}

void Client::listened(const std::string& key, const std::string& uri, bool granted) {
  const auto found = listens_.find(key);
  if (found == listens_.end()) {
    house_.unwatched(uri);
    return;
  }
  if (granted) {
    found->second.uris.insert(uri);
  } else {
    house_.unwatched(uri);
  }
  if (--found->second.owed == 0) acknowledge(found->second);
}

// With what is honoured; the rest is left out (basic/patterns/subscriptions).
void Client::acknowledge(Listen& listen) {
  if (!listen.uris.empty()) listen.granted["resourceSubscriptions"] = listen.uris;
  tell_listener(listen, kAcknowledged, {{"notifications", listen.granted}}, true);
}

void Client::tell_listener(const Listen& listen, std::string_view method, Value params, bool needed) {
  if (!needed && callbacks_.crowded()) return;
  params["_meta"][std::string(kSubscriptionKey)] = listen.id;
  say(listen.id, notification_line(method, std::move(params)), {.last = false, .needed = needed});
}

}  // namespace gatehouse::mcp
