#include "mcp-gateway/client.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kModern = "2026-07-28";
constexpr size_t kMaxWaiting = 16;
// With these, revisions from 2025-06-18 on; what an older one does not know is left out for it.
constexpr std::string_view kFirst = "2025-03-26";

std::string key_of(const Value& id) { return json::write(id); }

}  // namespace

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

// Results and errors answer nothing: we ask the client for nothing.
void Client::take(Message message) {
  if (message.kind == Message::Kind::request) {
    request(std::move(message));
  } else if (message.kind == Message::Kind::notification) {
    notification(message);
  }
}

void Client::request(Message message) {
  asked_ = message.method;
  const Value* meta = find(message.params, "_meta");
  if (meta != nullptr && find(*meta, "io.modelcontextprotocol/protocolVersion") != nullptr) {
    return refuse(message.id, kInvalidRequest,
                  fmt::format("revision {} is not spoken here yet; begin with initialize", kModern),
                  {{"supported", std::vector<std::string>(std::begin(kRevisions), std::end(kRevisions))}});
  }
  if (message.method == "initialize") return initialize(message);
  if (message.method == "ping") return say(message.id, result_line(message.id, Value::object()));
  if (message.method == "server/discover") {
    return refuse(message.id, kMethodNotFound,
                  fmt::format("revision {} is not spoken here yet; begin with initialize", kModern));
  }
  if (revision_.empty()) return refuse(message.id, kInvalidRequest, "the session is not initialized");
  if (message.method == "tools/list") return list_tools(message);
  if (message.method == "tools/call") return call_tool(std::move(message));
  refuse(message.id, kMethodNotFound,
         fmt::format("'{}' is not carried by this gateway; tools/list and tools/call are",
                     log::printable(message.method, 64)));
}

void Client::notification(const Message& message) {
  if (message.method == "notifications/initialized") {
    ready_ = true;
  } else if (message.method == "notifications/cancelled") {
    const Value* id = find(message.params, "requestId");
    if (id == nullptr || !is_id(*id)) return;
    const size_t ended =
        calls_.erase(key_of(*id)) + std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.id == *id; });
    if (ended > 0) say(*id, "");
  }
}

void Client::initialize(const Message& message) {
  if (!revision_.empty()) return refuse(message.id, kInvalidRequest, "the session is initialized already");
  const std::string* asked = find_text(message.params, "protocolVersion");
  if (asked == nullptr) return refuse(message.id, kInvalidParams, "\"protocolVersion\" is missing");
  const auto* spoken = std::find(std::begin(kRevisions), std::end(kRevisions), *asked);
  revision_ = spoken == std::end(kRevisions) ? kRevisions[0] : *spoken;
  say(message.id,
      result_line(message.id, {{"protocolVersion", revision_},
                               {"capabilities", {{"tools", {{"listChanged", true}}}}},
                               {"serverInfo", {{"name", "gatehouse"}, {"version", GATEHOUSE_VERSION}}},
                               {"instructions",
                                "Tools of several servers, named server__tool. Every call is judged by a policy and "
                                "put on record; a denied call "
                                "says by which rule. Tools that the policy never allows are not listed."}}));
}

void Client::list_tools(const Message& message) {
  std::string after;
  if (const Value* cursor = find(message.params, "cursor")) {
    const auto* text = cursor->get_ptr<const std::string*>();
    if (text == nullptr || text->size() > kMaxShownNameBytes)
      return refuse(message.id, kInvalidParams, "no such cursor");
    after = *text;
  }
  if (house_.settled()) return show_tools(message.id, after);
  if (waiting_.size() >= kMaxWaiting) return refuse(message.id, kBusy, "too many lists asked for at once");
  waiting_.push_back({message.id, std::move(after)});
}

void Client::show_tools(const Value& id, std::string_view after) {
  const auto page = house_.catalogue().page(after, kToolsOfPage + 1);
  Value tools = Value::array();
  for (size_t i = 0; i < std::min(page.size(), kToolsOfPage); ++i) {
    tools.push_back(page[i]->definition);
    if (revision_ == kFirst) {
      tools.back().erase("title");
      tools.back().erase("outputSchema");
    }
  }
  Value result = {{"tools", std::move(tools)}};
  // A cursor is the last name shown: it means the same whatever comes or goes meanwhile.
  if (page.size() > kToolsOfPage) {
    result["nextCursor"] = *find_text(page[kToolsOfPage - 1]->definition, "name");
  }
  say(id, result_line(id, std::move(result)));
}

void Client::call_tool(Message message) {
  const std::string* name = find_text(message.params, "name");
  if (name == nullptr || name->empty()) return refuse(message.id, kInvalidParams, "\"name\" of the tool is missing");
  if (find(message.params, "task") != nullptr) {
    return refuse(message.id, kMethodNotFound, "tasks are not carried by this gateway; call without \"task\"");
  }
  Value arguments = Value::object();
  if (auto given = message.params.find("arguments"); given != message.params.end() && !given->is_null()) {
    if (!given->is_object()) return refuse(message.id, kInvalidParams, "\"arguments\" must be an object");
    arguments = std::move(*given);
  }
  const std::string key = key_of(message.id);
  if (calls_.contains(key)) return refuse(message.id, kInvalidRequest, "a request of this id is under way");
  if (calls_.size() >= kMaxCallsOfClient) return refuse(message.id, kBusy, "too many calls at once; wait for answers");

  Call::Callbacks callbacks;
  callbacks.done = [this, key, id = message.id](Call::Outcome outcome) { ended(key, id, std::move(outcome)); };
  const Value* meta = find(message.params, "_meta");
  const Value* token = meta == nullptr ? nullptr : find(*meta, "progressToken");
  if (token != nullptr && is_id(*token)) {
    callbacks.progress = [this, id = message.id, token = *token](const Progress& progress) {
      if (callbacks_.crowded()) return;
      Value params = {{"progressToken", token}, {"progress", progress.progress}};
      if (!progress.total.is_null()) params["total"] = progress.total;
      say(id, notification_line("notifications/progress", std::move(params)), false);
    };
  }
  auto call = house_.call(*name, std::move(arguments), std::move(callbacks));
  if (!call) return refuse(message.id, kBusy, "too much is asked for at once, by all clients; wait for answers");
  calls_.emplace(key, std::move(call));
}

void Client::ended(const std::string& key, const Value& id, Call::Outcome outcome) {
  const auto call = calls_.extract(key);  // it is what calls
  if (auto* error = std::get_if<RpcError>(&outcome)) return say(id, error_line(id, *error));
  auto& result = std::get<Value>(outcome);
  if (revision_ == kFirst) result.erase("structuredContent");
  say(id, result_line(id, std::move(result)));
}

void Client::tools_changed() {
  if (ready_ && !callbacks_.crowded())
    callbacks_.send(notification_line("notifications/tools/list_changed", Value::object()));
}

void Client::settled() {
  for (const auto& [id, after] : std::exchange(waiting_, {})) show_tools(id, after);
}

void Client::refuse(const Value& id, int code, std::string_view words, Value data) {
  house_.refused(code, asked_);
  say(id, error_line(id, {code, std::string(words), std::move(data)}));
}

void Client::say(const Value& request, std::string_view line, bool last) {
  if (callbacks_.about) return callbacks_.about(request, line, last);
  if (!line.empty()) callbacks_.send(line);
}

}  // namespace gatehouse::mcp
