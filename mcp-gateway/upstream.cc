#include "mcp-gateway/upstream.h"

#include <algorithm>
#include <map>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxCursorBytes = 4096;

bool is_tool_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxToolNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Drops what is no tool, and every one of those that share a name: which of them a call would reach is the server's
// guess.
std::vector<Value> sound_definitions(std::vector<Value> definitions) {
  std::map<std::string, size_t> names;
  std::vector<Value> sound;
  for (auto& definition : definitions) {
    const std::string* name = find_text(definition, "name");
    const Value* schema = find(definition, "inputSchema");
    if (name == nullptr || !is_tool_name(*name) || schema == nullptr || !schema->is_object()) continue;
    if (json::write(definition).size() > kMaxDefinitionBytes) continue;
    ++names[*name];
    sound.push_back(std::move(definition));
  }
  std::erase_if(sound, [&](const Value& definition) { return names[*find_text(definition, "name")] > 1; });
  return sound;
}

}  // namespace

void Upstream::begin() {
  stage_ = Stage::greeting;
  lines_ = LineReader(kMessageLimits.bytes);
  listing_id_ = 0;
  list_again_ = false;
  greeting_id_ = next_id_++;
  revision_ = {};
  ask(greeting_id_, "initialize",
      {{"protocolVersion", kRevisions[0]},
       {"capabilities", Value::object()},
       {"clientInfo", {{"name", "gatehouse"}, {"version", GATEHOUSE_VERSION}}}});
}

void Upstream::ask(uint64_t id, std::string method, Value params, std::string name) {
  callbacks_.send({.line = request_line(id, method, std::move(params)),
                   .request = id,
                   .method = std::move(method),
                   .name = std::move(name),
                   .parameters = {},
                   .revision = revision_,
                   .about = std::nullopt});
}

void Upstream::tell(std::string method, Value params, std::optional<uint64_t> about) {
  callbacks_.send({.line = notification_line(method, std::move(params)),
                   .request = std::nullopt,
                   .method = std::move(method),
                   .name = {},
                   .parameters = {},
                   .revision = revision_,
                   .about = about});
}

void Upstream::end(std::string_view why) {
  stage_ = Stage::down;
  auto lost = std::move(calls_);
  calls_.clear();
  for (auto& [id, pending] : lost) pending.on_answer({Answer::Kind::lost, nullptr, std::string(why)});
}

void Upstream::lose(uint64_t request, std::string_view why) {
  if (request == listing_id_ || (request == greeting_id_ && stage_ == Stage::greeting)) return break_off(why);
  const auto call = calls_.find(request);
  if (call == calls_.end()) return;
  const auto on_answer = std::move(call->second.on_answer);
  calls_.erase(call);
  on_answer({Answer::Kind::lost, nullptr, std::string(why)});
}

void Upstream::take(std::string_view bytes) {
  if (stage_ == Stage::down || stage_ == Stage::broken) return;
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
  if (stage_ == Stage::greeting || stage_ == Stage::ready) (void)take_message(std::move(message), about);
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
      request(*message);
      break;
    case Message::Kind::notification:
      notification(*message);
      break;
    default:
      answer(std::move(*message));
  }
  return stage_ == Stage::greeting || stage_ == Stage::ready;
}

// Nothing of a server's asking is carried to the guest yet: it has been told so, by capabilities we did not declare.
void Upstream::request(const Message& message) {
  Outgoing said;
  said.revision = revision_;
  said.line = message.method == "ping"
                  ? result_line(message.id, Value::object())
                  : error_line(message.id, {kMethodNotFound, "not offered by this client", nullptr});
  callbacks_.send(said);
}

void Upstream::notification(const Message& message) {
  if (message.method == "notifications/tools/list_changed") {
    if (stage_ != Stage::ready || !has_tools_) return;
    if (listing_id_ != 0) {
      list_again_ = true;
    } else {
      list({});
    }
    return;
  }
  if (message.method != "notifications/progress") return;
  const Value* token = find(message.params, "progressToken");
  const Value* progress = find(message.params, "progress");
  const Value* total = find(message.params, "total");
  if (token == nullptr || !token->is_number_unsigned() || progress == nullptr || !progress->is_number()) return;
  const auto call = calls_.find(token->get<uint64_t>());
  if (call == calls_.end() || !call->second.on_progress) return;
  // Its message would be one more text that nobody has looked through.
  call->second.on_progress({*progress, total != nullptr && total->is_number() ? *total : Value(nullptr)});
}

void Upstream::answer(Message message) {
  if (!message.id.is_number_unsigned()) return;
  const auto id = message.id.get<uint64_t>();
  if (id == greeting_id_ && stage_ == Stage::greeting) return greeted(message);
  if (id == listing_id_ && listing_id_ != 0) return listed(message);
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;  // late, or never asked
  auto on_answer = std::move(call->second.on_answer);
  calls_.erase(call);
  const bool result = message.kind == Message::Kind::result;
  on_answer({result ? Answer::Kind::result : Answer::Kind::error, std::move(message.content), {}});
}

void Upstream::greeted(const Message& message) {
  if (message.kind == Message::Kind::error) return break_off("it refuses to be initialized");
  const std::string* revision = find_text(message.content, "protocolVersion");
  const auto* spoken =
      revision == nullptr ? std::end(kRevisions) : std::find(std::begin(kRevisions), std::end(kRevisions), *revision);
  if (spoken == std::end(kRevisions)) {
    return break_off("it speaks no revision of the protocol that this gateway does");
  }
  revision_ = *spoken;
  const Value* capabilities = find(message.content, "capabilities");
  has_tools_ = capabilities != nullptr && find(*capabilities, "tools") != nullptr;
  stage_ = Stage::ready;
  tell("notifications/initialized", Value::object());
  if (has_tools_) return list({});
  callbacks_.listed({});
}

void Upstream::list(std::string_view cursor) {
  if (cursor.empty()) {
    definitions_.clear();
    pages_ = 0;
  }
  ++pages_;
  listing_id_ = next_id_++;
  Value params = Value::object();
  if (!cursor.empty()) params["cursor"] = cursor;
  ask(listing_id_, "tools/list", std::move(params));
}

void Upstream::listed(const Message& message) {
  listing_id_ = 0;
  const Value* tools = find(message.content, "tools");
  if (message.kind == Message::Kind::error || tools == nullptr || !tools->is_array()) {
    return break_off("it does not list its tools");
  }
  for (const auto& definition : *tools) definitions_.push_back(definition);
  if (definitions_.size() > kMaxToolsOfServer)
    return break_off(fmt::format("it has more than {} tools", kMaxToolsOfServer));
  if (const Value* next = find(message.content, "nextCursor"); next != nullptr && !next->is_null()) {
    const auto* cursor = next->get_ptr<const std::string*>();
    if (cursor == nullptr || cursor->empty() || cursor->size() > kMaxCursorBytes || pages_ >= kMaxPagesOfServer) {
      return break_off("the list of its tools does not end");
    }
    return list(*cursor);
  }
  auto sound = sound_definitions(std::exchange(definitions_, {}));
  if (std::exchange(list_again_, false)) list({});
  callbacks_.listed(std::move(sound));
}

uint64_t Upstream::call(const std::string& tool, const Value& arguments, OnAnswer on_answer, OnProgress on_progress) {
  const uint64_t id = next_id_++;
  Value params = {{"name", tool}, {"arguments", arguments}};
  if (on_progress) params["_meta"] = {{"progressToken", id}};
  calls_.emplace(id, Pending{std::move(on_answer), std::move(on_progress)});
  ask(id, "tools/call", std::move(params), tool);
  return id;
}

void Upstream::cancel(uint64_t call, std::string_view reason) {
  if (calls_.erase(call) == 0 || stage_ != Stage::ready) return;
  tell("notifications/cancelled", {{"requestId", call}, {"reason", reason}}, call);
}

void Upstream::break_off(std::string_view why) {
  stage_ = Stage::broken;
  callbacks_.broken(Error(std::string(why)));
}

}  // namespace gatehouse::mcp
