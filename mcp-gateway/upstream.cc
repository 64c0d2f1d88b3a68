#include "mcp-gateway/upstream.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {

// Into what a request says about itself.
void merge_meta(Value& params, const Value& meta) {
  Value& into = params["_meta"];
  if (!into.is_object()) into = Value::object();
  for (const auto& [key, value] : meta.items()) into[key] = value;
}

bool lists_modern(const Value* versions) {
  return versions != nullptr && versions->is_array() &&
         std::find(versions->begin(), versions->end(), kModern) != versions->end();
}

Value client_info() { return {{"name", "gatehouse"}, {"version", GATEHOUSE_VERSION}}; }

}  // namespace

void Upstream::begin() {
  lines_ = LineReader(kMessageLimits.bytes);
  revision_ = {};
  modern_ = false;
  capabilities_ = Value::object();
  listing_id_ = 0;
  listen_id_ = 0;
  listen_refused_ = false;
  to_list_.clear();
  asked_.clear();
  if (of_sessions_) return initialize();
  probed_again_ = false;
  probe();
}

// A server of the session era answers this with whatever error it likes, or never, or dies of it.
void Upstream::probe() {
  stage_ = Stage::probing;
  probe_ticks_ = 0;
  greeting_id_ = next_id_++;
  modern_ = true;
  revision_ = kModern;
  ask(greeting_id_, "server/discover", Value::object());
}

void Upstream::initialize() {
  stage_ = Stage::greeting;
  greeting_id_ = next_id_++;
  modern_ = false;
  revision_ = {};
  ask(greeting_id_, "initialize",
      {{"protocolVersion", kRevisions[0]}, {"capabilities", questions_allowed_}, {"clientInfo", client_info()}});
}

void Upstream::probed(const Message& message) {
  const bool refused = message.kind == Message::Kind::error;
  const Value* data = refused ? find(message.content, "data") : nullptr;
  // It says that it speaks what it was asked in: then that is what to go on with (basic/versioning), once.
  if (data != nullptr && lists_modern(find(*data, "supported")) && !std::exchange(probed_again_, true)) return probe();
  if (refused || !lists_modern(find(message.content, "supportedVersions"))) {
    of_sessions_ = true;
    return initialize();
  }
  if (const Value* capabilities = find(message.content, "capabilities"); capabilities && capabilities->is_object()) {
    capabilities_ = *capabilities;
  }
  became_ready();
}

void Upstream::greeted(const Message& message) {
  if (message.kind == Message::Kind::error) {
    of_sessions_ = false;
    return break_off("it refuses to be initialized");
  }
  const std::string* revision = find_text(message.content, "protocolVersion");
  const auto* spoken =
      revision == nullptr ? std::end(kRevisions) : std::find(std::begin(kRevisions), std::end(kRevisions), *revision);
  if (spoken == std::end(kRevisions)) {
    return break_off("it speaks no revision of the protocol that this gateway does");
  }
  revision_ = *spoken;
  if (const Value* capabilities = find(message.content, "capabilities"); capabilities && capabilities->is_object()) {
    capabilities_ = *capabilities;
  }
  tell("notifications/initialized", Value::object());
  became_ready();
}

void Upstream::became_ready() {
  stage_ = Stage::ready;
  to_list_.assign(std::begin(kListKinds), std::end(kListKinds));
  if (!log_level_.empty()) set_log_level(std::exchange(log_level_, {}));
  if (modern_) {
    listen();
  } else {
    for (const auto& uri : watched_) ask(next_id_++, "resources/subscribe", {{"uri", uri}});
  }
  list_next();
}

void Upstream::end(std::string_view why) {
  // It may be what it died of; if not that, then what it was asked instead.
  if (stage_ == Stage::probing || stage_ == Stage::greeting) of_sessions_ = stage_ == Stage::probing;
  stage_ = Stage::down;
  auto lost = std::move(calls_);
  calls_.clear();
  requests_.clear();
  asked_.clear();
  for (auto& [id, pending] : lost) pending.handlers.answer({Answer::Kind::lost, nullptr, std::string(why)});
}

void Upstream::tick() {
  if (stage_ == Stage::probing && ++probe_ticks_ > kProbeTicks) {
    of_sessions_ = true;
    return initialize();
  }
  if (stage_ != Stage::ready) return;
  std::vector<uint64_t> waiting;
  for (const auto& [id, pending] : calls_) {
    if (!pending.responses.is_null()) waiting.push_back(id);
  }
  for (const auto id : waiting) {
    const auto at = calls_.find(id);
    if (at != calls_.end()) retry(at, std::exchange(at->second.responses, nullptr));
  }
  if (modern_ && listen_id_ == 0 && !listen_refused_) listen();
}

void Upstream::take(std::string_view bytes) {
  if (!alive()) return;
  const auto read = lines_.feed(bytes, [this](std::string_view line) { return take_line(line); });
  if (!read) break_off(read.error().message());
}

bool Upstream::take_line(std::string_view line) {
  auto value = json::read(line, kMessageLimits);
  if (!value) {
    break_off(fmt::format("it wrote a line that is refused: {}", value.error().message()));
    return false;
  }
  return take_message(std::move(*value), std::nullopt);
}

void Upstream::hear(Value message, std::optional<uint64_t> about) {
  if (alive()) (void)take_message(std::move(message), about);
}

bool Upstream::take_message(Value value, std::optional<uint64_t> about) {
  auto message = parse_message(std::move(value));
  if (!message) {
    break_off(fmt::format("it wrote what is no message: {}", message.error().message()));
    return false;
  }
  if (message->kind == Message::Kind::error && message->id.is_null() && about) message->id = *about;
  switch (message->kind) {
    case Message::Kind::request:
      request(*message, about);
      break;
    case Message::Kind::notification:
      notification(*message, about);
      break;
    default:
      answer(std::move(*message));
  }
  return alive();
}

void Upstream::notification(const Message& message, std::optional<uint64_t> about) {
  if (stage_ != Stage::ready) return;
  if (message.method == "notifications/progress") return take_progress(message.params);
  if (message.method == "notifications/message") return take_log(message.params, about);
  if (message.method == "notifications/resources/updated") {
    const std::string* uri = find_text(message.params, "uri");
    // Of what is watched its name is known; any other would be one more text that nobody has looked through.
    if (uri != nullptr && watched_.contains(*uri) && callbacks_.updated) callbacks_.updated(*uri);
    return;
  }
  changed(message.method);
}

void Upstream::answer(Message message) {
  if (!message.id.is_number_unsigned()) return;
  const auto id = message.id.get<uint64_t>();
  if (id == greeting_id_ && stage_ == Stage::probing) return probed(message);
  if (id == greeting_id_ && stage_ == Stage::greeting) return greeted(message);
  if (id == listing_id_ && listing_id_ != 0) return listed(message);
  if (id == listen_id_ && listen_id_ != 0) return heard_of_listening(message);
  const auto request = requests_.find(id);
  if (request == requests_.end()) return;  // late, or never asked
  const auto at = calls_.find(request->second);
  if (message.kind == Message::Kind::error) {
    return finish(at, {Answer::Kind::error, std::move(message.content), {}});
  }
  if (!modern_ && at->second.wanted.task && at->second.task.empty()) {
    if (const Value* task = find(message.content, "task")) return await_task(at, *task);
  }
  const std::string* type = find_text(message.content, "resultType");
  if (!modern_ || type == nullptr || *type == "complete") {
    return finish(at, {Answer::Kind::result, std::move(message.content), {}});
  }
  if (*type == "input_required") return input_required(at, std::move(message.content));
  finish(at, {Answer::Kind::lost, nullptr, "it answered with a kind of result that this gateway does not carry"});
}

void Upstream::lose(uint64_t request, std::string_view why) {
  if (request == greeting_id_ && stage_ == Stage::probing) {
    of_sessions_ = true;
    return initialize();
  }
  if (request == greeting_id_ && stage_ == Stage::greeting) of_sessions_ = false;
  if (request == listing_id_ || (request == greeting_id_ && stage_ == Stage::greeting)) return break_off(why);
  if (request == listen_id_) {
    listen_id_ = 0;
    return;
  }
  const auto found = requests_.find(request);
  if (found != requests_.end()) finish(calls_.find(found->second), {Answer::Kind::lost, nullptr, std::string(why)});
}

void Upstream::set_log_level(const std::string& level) {
  if (std::exchange(log_level_, level) == level || stage_ != Stage::ready || modern_ || !offers("logging")) return;
  ask(next_id_++, "logging/setLevel", {{"level", level}});
}

Value Upstream::meta() const {
  return {{"io.modelcontextprotocol/protocolVersion", kModern},
          {"io.modelcontextprotocol/clientInfo", client_info()},
          {"io.modelcontextprotocol/clientCapabilities", Value::object()}};
}

void Upstream::ask(uint64_t id, Wanted wanted) {
  if (modern_) {
    Value all = meta();
    for (const auto& [name, value] : wanted.capabilities.items()) {
      all["io.modelcontextprotocol/clientCapabilities"][name] = value;
    }
    if (!wanted.log_level.empty()) all["io.modelcontextprotocol/logLevel"] = wanted.log_level;
    merge_meta(wanted.params, all);
  }
  if (wanted.progress) merge_meta(wanted.params, {{"progressToken", id}});
  callbacks_.send({.line = request_line(id, wanted.method, std::move(wanted.params)),
                   .request = id,
                   .method = std::move(wanted.method),
                   .name = std::move(wanted.name),
                   .parameters = std::move(wanted.parameters),
                   .revision = revision_,
                   .trace = std::move(wanted.trace),
                   .about = std::nullopt});
}

void Upstream::ask(uint64_t id, std::string method, Value params) {
  Wanted wanted;
  wanted.method = std::move(method);
  wanted.params = std::move(params);
  ask(id, std::move(wanted));
}

void Upstream::tell(std::string method, Value params, std::optional<uint64_t> about) {
  callbacks_.send({.line = notification_line(method, std::move(params)),
                   .request = std::nullopt,
                   .method = std::move(method),
                   .name = {},
                   .parameters = {},
                   .revision = revision_,
                   .trace = {},
                   .about = about});
}

void Upstream::tell_answer(std::string line, std::optional<uint64_t> about) {
  callbacks_.send({.line = std::move(line),
                   .request = std::nullopt,
                   .method = {},
                   .name = {},
                   .parameters = {},
                   .revision = revision_,
                   .trace = {},
                   .about = about});
}

void Upstream::break_off(std::string_view why) {
  stage_ = Stage::broken;
  callbacks_.broken(Error(std::string(why)));
}

}  // namespace gatehouse::mcp
