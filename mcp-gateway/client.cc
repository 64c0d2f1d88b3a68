#include "mcp-gateway/client.h"

#include <algorithm>

#include "common/base/log.h"
#include "mcp-gateway/log_level.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxWaiting = 16;
constexpr size_t kMaxCursorBytes = 2 * kMaxUriBytes;
// The oldest revision; what it does not know is left out for it.
constexpr std::string_view kFirst = "2025-03-26";
constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kLevelKey = "io.modelcontextprotocol/logLevel";
constexpr std::string_view kUsualLevel = "info";
constexpr std::string_view kServerKey = "io.modelcontextprotocol/serverInfo";

constexpr std::string_view kInstructions =
    "Tools, prompts and resources of several servers, named server__tool and server+uri. Every call is judged by a "
    "policy and put on record; a denied call says by which rule. What the policy never allows is not listed.";

Value server_info() { return {{"name", "gatehouse"}, {"version", GATEHOUSE_VERSION}}; }

Value capabilities() {
  return {{"tools", {{"listChanged", true}}},
          {"prompts", {{"listChanged", true}}},
          {"resources", {{"subscribe", true}, {"listChanged", true}}},
          {"completions", Value::object()},
          {"logging", Value::object()}};
}

Value capabilities_of(std::string_view revision) {
  Value all = capabilities();
  if (revision == kRevisions[0]) {
    all["tasks"] = {
        {"list", Value::object()}, {"cancel", Value::object()}, {"requests", {{"tools", {{"call", Value::object()}}}}}};
  }
  return all;
}

std::vector<std::string> all_revisions() {
  std::vector<std::string> all{std::string(kModern)};
  all.insert(all.end(), std::begin(kRevisions), std::end(kRevisions));
  return all;
}

// Of a client's abilities those that are known: servers are told of them, and nobody looks through them.
Value known_abilities(const Value& told) {
  Value known = Value::object();
  const auto take = [&](const char* name, std::initializer_list<const char*> members) {
    const Value* ability = find(told, name);
    if (ability == nullptr || !ability->is_object()) return;
    known[name] = Value::object();
    for (const auto* member : members) {
      const Value* one = find(*ability, member);
      if (one != nullptr && one->is_object()) known[name][member] = Value::object();
    }
  };
  take("elicitation", {"form", "url"});
  take("sampling", {"context", "tools"});
  take("roots", {});
  return known;
}

bool is_cached(const Value& result) {
  for (const auto* member : {"tools", "prompts", "resources", "resourceTemplates", "contents", "supportedVersions"}) {
    if (result.contains(member)) return true;
  }
  return false;
}

}  // namespace

Client::~Client() {
  std::set<std::string> watched = std::move(watched_);
  for (const auto& [key, listen] : listens_) watched.insert(listen.uris.begin(), listen.uris.end());
  for (const auto& [key, one] : exchanges_) {
    if (!one.subscribes.empty()) watched.insert(one.subscribes);
  }
  watched_.clear();
  exchanges_.clear();
  listens_.clear();
  tasks_.clear();
  for (const auto& uri : watched) house_.unwatched(uri);
}

void Client::take(std::string_view bytes) {
  if (broken_) return;
  const auto read = lines_.feed(bytes, [this](std::string_view line) { return take_line(line); });
  if (read || broken_) return;
  broken_ = true;
  refuse(nullptr, kParseError, read.error().message());
  callbacks_.broken(read.error());
}

bool Client::take_line(std::string_view line) {
  asked_.clear();
  auto value = json::read(line, kMessageLimits);
  if (!value) {
    refuse(nullptr, kParseError, "the line is refused: " + value.error().message());
    return true;
  }
  if (value->is_array()) {
    if (revision_ != kFirst || value->empty() || value->size() > kMaxBatch) {
      refuse(nullptr, kInvalidRequest,
             fmt::format("batches, of 1 to {} messages, are of revision {} alone; send one message a line", kMaxBatch,
                         kFirst));
      return true;
    }
    for (auto& element : *value) take_value(std::move(element));
    return !broken_;
  }
  take_value(std::move(*value));
  return !broken_;
}

void Client::take_value(Value value) {
  asked_.clear();
  // An answer to it names its request where that can be told.
  const Value* id = find(value, "id");
  const Value known = id != nullptr && is_id(*id) ? *id : Value(nullptr);
  auto message = parse_message(std::move(value));
  if (!message) return refuse(known, kInvalidRequest, message.error().message());
  take(std::move(*message));
}

void Client::take(Message message) {
  if (message.kind == Message::Kind::request) {
    request(std::move(message));
  } else if (message.kind == Message::Kind::notification) {
    notification(message);
  } else {
    answer(std::move(message));
  }
}

// By what a request of 2026-07-28 says of itself, or by the session. Nothing: it is refused.
std::optional<Client::Terms> Client::terms_of(const Message& message) {
  const Value* meta = find(message.params, "_meta");
  const Value* version = meta == nullptr ? nullptr : find(*meta, kVersionKey);
  if (version == nullptr && !stateless_) {
    // A session that has not said how much it wants to know leaves it to the servers.
    return Terms{revision_, capabilities_, std::string(log_level_.empty() ? kUsualLevel : log_level_)};
  }
  const auto* text = version == nullptr ? nullptr : version->get_ptr<const std::string*>();
  if (text == nullptr) {
    refuse(message.id, kInvalidParams, fmt::format("\"_meta\" says no {}", kVersionKey));
    return std::nullopt;
  }
  if (*text != kModern) {
    refuse(message.id, kNoRevision, "that revision is not spoken without a session",
           {{"supported", all_revisions()}, {"requested", log::printable(*text, 64)}});
    return std::nullopt;
  }
  const Value* capabilities = find(*meta, kCapabilitiesKey);
  if (capabilities == nullptr || !capabilities->is_object()) {
    refuse(message.id, kInvalidParams, fmt::format("\"_meta\" says no {}", kCapabilitiesKey));
    return std::nullopt;
  }
  Terms terms{kModern, known_abilities(*capabilities), {}};
  if (const Value* level = find(*meta, kLevelKey)) {
    const auto* name = level->get_ptr<const std::string*>();
    if (name == nullptr || !severity_of(*name)) {
      refuse(message.id, kInvalidParams, "there is no such level of log messages");
      return std::nullopt;
    }
    terms.log_level = *name;
  }
  return terms;
}

void Client::request(Message message) {
  asked_ = message.method;
  auto terms = terms_of(message);
  if (!terms) return;
  if (in_use(message.id)) return refuse(message.id, kInvalidRequest, "a request of this id is under way");
  if (!terms->modern()) {
    if (message.method == "initialize") return initialize(message);
    if (message.method == "ping") return say(message.id, result_line(message.id, Value::object()));
    // To find out who speaks 2026-07-28 it is asked for by itself, too; whoever asks so is told how.
    if (message.method == "server/discover") {
      return refuse(message.id, kInvalidParams, fmt::format("\"_meta\" says no {}", kVersionKey));
    }
    if (revision_.empty()) return refuse(message.id, kInvalidRequest, "the session is not initialized");
  }
  serve(std::move(message), std::move(*terms));
}

void Client::serve(Message message, Terms terms) {
  for (const auto kind : kListKinds) {
    if (message.method == words_of(kind).method) return list(message, kind, std::move(terms));
  }
  const auto is_one_of = [&](std::initializer_list<std::string_view> methods) {
    return std::find(methods.begin(), methods.end(), message.method) != methods.end();
  };
  if (is_one_of({"tools/call", "prompts/get", "resources/read", "completion/complete"})) {
    return carry(std::move(message), std::move(terms));
  }
  if (terms.modern()) {
    if (message.method == "server/discover") return discover(message.id);
    if (message.method == "subscriptions/listen") return listen(message);
  } else {
    if (message.method == "resources/subscribe") return carry(std::move(message), std::move(terms));
    if (message.method == "resources/unsubscribe") return unsubscribe(message);
    if (message.method == "logging/setLevel") return set_log_level(message);
    if (terms.revision == kRevisions[0] && is_one_of({"tasks/get", "tasks/result", "tasks/list", "tasks/cancel"})) {
      return serve_task(message);
    }
  }
  refuse(message.id, kMethodNotFound,
         fmt::format("'{}' is not carried by this gateway", log::printable(message.method, 64)));
}

void Client::notification(const Message& message) {
  if (message.method == "notifications/initialized") {
    ready_ = true;
  } else if (message.method == "notifications/cancelled") {
    const Value* id = find(message.params, "requestId");
    if (id == nullptr || !is_id(*id)) return;
    const std::string key = json::write(*id);
    const auto exchange = exchanges_.extract(key);
    forget_questions(key);
    const auto listen = listens_.extract(key);
    std::set<std::string> unwatched;
    if (exchange && !exchange.mapped().subscribes.empty()) unwatched.insert(exchange.mapped().subscribes);
    if (listen) {
      unwatched.insert(listen.mapped().uris.begin(), listen.mapped().uris.end());
      std::erase_if(exchanges_, [&](const auto& entry) {
        const bool of_it = entry.second.listen == key;
        if (of_it) unwatched.insert(entry.second.subscribes);
        return of_it;
      });
    }
    for (const auto& uri : unwatched) house_.unwatched(uri);
    size_t ended = (exchange ? 1 : 0) + (listen ? 1 : 0) +
                   std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.id == *id; });
    for (auto& [name, task] : tasks_) ended += std::erase(task.waiting, *id);
    if (ended > 0) say(*id, "");
  }
}

void Client::initialize(const Message& message) {
  if (!revision_.empty()) return refuse(message.id, kInvalidRequest, "the session is initialized already");
  const std::string* asked = find_text(message.params, "protocolVersion");
  if (asked == nullptr) return refuse(message.id, kInvalidParams, "\"protocolVersion\" is missing");
  const auto* spoken = std::find(std::begin(kRevisions), std::end(kRevisions), *asked);
  revision_ = spoken == std::end(kRevisions) ? kRevisions[0] : *spoken;
  if (const Value* able = find(message.params, "capabilities"); able != nullptr && able->is_object()) {
    capabilities_ = known_abilities(*able);
  }
  say(message.id, result_line(message.id, {{"protocolVersion", revision_},
                                           {"capabilities", capabilities_of(revision_)},
                                           {"serverInfo", server_info()},
                                           {"instructions", kInstructions}}));
}

void Client::discover(const Value& id) {
  answer_with(
      id, {kModern},
      {{"supportedVersions", all_revisions()}, {"capabilities", capabilities()}, {"instructions", kInstructions}});
}

void Client::list(const Message& message, ListKind kind, Terms terms) {
  Waiting asked{message.id, kind, "", std::move(terms)};
  if (const Value* cursor = find(message.params, "cursor")) {
    const auto* text = cursor->get_ptr<const std::string*>();
    if (text == nullptr || text->size() > kMaxCursorBytes) return refuse(message.id, kInvalidParams, "no such cursor");
    asked.after = *text;
  }
  if (house_.settled()) return show(asked);
  if (waiting_.size() >= kMaxWaiting) return refuse(message.id, kBusy, "too many lists asked for at once");
  waiting_.push_back(std::move(asked));
}

void Client::show(const Waiting& asked) {
  const auto& words = words_of(asked.kind);
  const auto page = house_.catalogue(asked.kind).page(asked.after, kToolsOfPage + 1);
  Value entries = Value::array();
  for (size_t i = 0; i < std::min(page.size(), kToolsOfPage); ++i) {
    entries.push_back(page[i]->definition);
    if (asked.kind == ListKind::tools && asked.terms.revision == kRevisions[0]) {
      entries.back()["execution"] = {{"taskSupport", "optional"}};
    }
    if (asked.terms.revision != kFirst) continue;
    entries.back().erase("title");
    entries.back().erase("outputSchema");
  }
  Value result = Value::object();
  result[std::string(words.member)] = std::move(entries);
  // A cursor is the last name shown: it means the same whatever comes or goes meanwhile.
  if (page.size() > kToolsOfPage) result["nextCursor"] = page[kToolsOfPage - 1]->shown;
  answer_with(asked.id, asked.terms, std::move(result));
}

void Client::set_log_level(const Message& message) {
  const std::string* level = find_text(message.params, "level");
  if (level == nullptr || !severity_of(*level)) {
    return refuse(message.id, kInvalidParams, "there is no such level of log messages");
  }
  log_level_ = *level;
  house_.log_levels_changed();
  say(message.id, result_line(message.id, Value::object()));
}

void Client::changed(ListKind kind) {
  if (ready_ && !callbacks_.crowded()) tell(words_of(kind).changed);
  const auto flag = fmt::format("{}ListChanged", words_of(kind).capability);
  for (const auto& [key, listen] : listens_) {
    if (listen.owed == 0 && listen.granted.contains(flag)) {
      tell_listener(listen, words_of(kind).changed, Value::object());
    }
  }
}

void Client::logged(const Value& params) {
  if (!ready_ || callbacks_.crowded()) return;
  if (!log_level_.empty() && severity_of(params.at("level").get<std::string>()) < severity_of(log_level_)) return;
  tell("notifications/message", params);
}

void Client::settled() {
  for (const auto& asked : std::exchange(waiting_, {})) show(asked);
}

void Client::refuse(const Value& id, int code, std::string_view words, Value data) {
  house_.refused(code, asked_);
  say(id, error_line(id, {code, std::string(words), std::move(data)}), {.code = code});
}

// In the form of the revision (what each lacks: changelogs of the specification).
void Client::answer_with(const Value& id, const Terms& terms, Value result) {
  if (terms.modern()) {
    if (!result.contains("resultType")) result["resultType"] = "complete";
    if (is_cached(result)) {
      result["ttlMs"] = 0;
      result["cacheScope"] = "private";
    }
    result["_meta"][std::string(kServerKey)] = server_info();
  } else if (const Value* structured = find(result, "structuredContent")) {
    if (terms.revision == kFirst || !structured->is_object()) result.erase("structuredContent");
  }
  say(id, result_line(id, std::move(result)));
}

void Client::say(const Value& request, std::string_view line, const Told& told) {
  if (callbacks_.about) return callbacks_.about(request, line, told);
  if (!line.empty()) callbacks_.send(line);
}

void Client::tell(std::string_view method, Value params) {
  callbacks_.send(notification_line(method, std::move(params)));
}

}  // namespace gatehouse::mcp
