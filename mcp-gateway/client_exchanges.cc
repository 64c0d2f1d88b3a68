// A client's requests that servers work on: answered in its revision's way, whatever the server's is.
#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/mcp/shown_name.h"
#include "mcp-gateway/client.h"
#include "mcp-gateway/log_level.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kFirst = "2025-03-26";
constexpr std::string_view kQuestionPrefix = "gatehouse-";
constexpr std::string_view kOfTasks = "2025-11-25";

// What must be the same when a client comes back with its answers.
std::string digest_of(const Message& message) {
  Value params = message.params;
  for (const auto* member : {"_meta", "inputResponses", "requestState"}) params.erase(member);
  return sha256_hex(message.method + json::write(params));
}

// A question as its revision has it.
Value question_for(std::string_view revision, const Value& request) {
  Value params = find(request, "params") == nullptr ? Value::object() : request["params"];
  if (request["method"] != "elicitation/create") return params;
  if (revision < "2025-11-25") {
    params.erase("mode");
  } else if (params.value("mode", Value()) == "url" && !params.contains("elicitationId")) {
    params["elicitationId"] = make_uuid();
  }
  return params;
}

// The oldest revision has no links to resources.
void without_links(Value& content) {
  if (!content.is_array()) return;
  for (auto& block : content) {
    const std::string* type = find_text(block, "type");
    if (type == nullptr || *type != "resource_link") continue;
    const std::string* uri = find_text(block, "uri");
    block = {{"type", "text"}, {"text", fmt::format("(a resource: {})", uri == nullptr ? "" : *uri)}};
  }
}

}  // namespace

bool Client::in_use(const Value& id) const {
  const std::string key = json::write(id);
  return exchanges_.contains(key) || listens_.contains(key) ||
         std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& entry) {
           const auto& waiting = entry.second.waiting;
           return std::find(waiting.begin(), waiting.end(), id) != waiting.end();
         });
}

void Client::carry(Message message, Terms terms) {
  const Value* task = terms.modern() ? nullptr : find(message.params, "task");
  if (task != nullptr && (terms.revision != kOfTasks || message.method != "tools/call")) {
    return refuse(message.id, kMethodNotFound,
                  fmt::format("tasks are of revision {}, and of calls of tools; ask without \"task\"", kOfTasks));
  }
  if (exchanges_.size() >= kMaxCallsOfClient) {
    return refuse(message.id, kBusy, "too many calls at once; wait for answers");
  }
  if (const Value* responses = find(message.params, "inputResponses")) {
    const bool sound =
        terms.modern() && responses->is_object() &&
        std::all_of(responses->begin(), responses->end(), [](const auto& one) { return one.is_object(); });
    if (!sound) return refuse(message.id, kInvalidParams, "\"inputResponses\" must be an object of objects");
  }
  if (const Value* state = find(message.params, "requestState")) {
    const auto* text = state->get_ptr<const std::string*>();
    if (text == nullptr || !terms.modern()) return refuse(message.id, kInvalidParams, "\"requestState\" is none");
    return go_on(std::move(message), std::move(terms), std::string(*text));
  }
  UnderWay under_way;
  under_way.id = message.id;
  under_way.terms = std::move(terms);
  under_way.exchange = std::make_unique<Exchange>();
  if (under_way.terms.modern()) under_way.exchange->digest = digest_of(message);
  if (message.method == "resources/subscribe") {
    const std::string* uri = find_text(message.params, "uri");
    if (watched_.size() >= kMaxWatchedOfClient) return refuse(message.id, kBusy, "too many resources are watched");
    if (uri != nullptr) under_way.subscribes = *uri;
  }
  const Value* meta = find(message.params, "_meta");
  const Value* token = meta == nullptr ? nullptr : find(*meta, "progressToken");
  if (token != nullptr && is_id(*token)) under_way.token = *token;
  CarriedRequest request{message.method, std::move(message.params), under_way.terms.capabilities,
                         under_way.terms.log_level, !under_way.token.is_null()};
  request.params.erase("_meta");
  if (task != nullptr) {
    const Value* ttl = find(*task, "ttl");
    const bool told = ttl != nullptr && ttl->is_number_unsigned();
    const auto kept = told ? std::chrono::milliseconds(
                                 std::min<uint64_t>(ttl->get<uint64_t>(), static_cast<uint64_t>(kTaskTime.count())))
                           : kTaskTime;
    return begin_task(message.id, std::move(under_way), kept, std::move(request));
  }
  auto call = house_.call(std::move(request), under_way.exchange->callbacks());
  if (!call) return refuse(message.id, call.error().code, call.error().message, call.error().data);
  under_way.exchange->own(std::move(*call));
  const std::string key = json::write(message.id);
  exchanges_.emplace(key, std::move(under_way));
  attach(key);
}

// With answers to what was asked.
void Client::go_on(Message message, Terms terms, const std::string& state) {
  auto exchange = house_.held().take(state);
  if (!exchange || exchange->digest != digest_of(message)) {
    return refuse(message.id, kInvalidParams,
                  "\"requestState\" is not of this request, or is over; make the request anew without it");
  }
  Value responses = Value::object();
  if (const Value* given = find(message.params, "inputResponses")) {
    for (const auto& [key, response] : given->items()) responses[key] = {{"result", response}};
  }
  UnderWay under_way;
  under_way.id = message.id;
  under_way.terms = std::move(terms);
  const Value* meta = find(message.params, "_meta");
  const Value* token = meta == nullptr ? nullptr : find(*meta, "progressToken");
  if (token != nullptr && is_id(*token)) under_way.token = *token;
  under_way.exchange = std::move(exchange);
  const std::string key = json::write(message.id);
  Exchange& one = *exchanges_.emplace(key, std::move(under_way)).first->second.exchange;
  attach(key);
  one.answer(responses);
  if (auto outcome = one.take_outcome()) return ended(key, std::move(*outcome));
  if (!one.open().empty()) ask_back(key);  // answers are missing
}

void Client::attach(const std::string& key) {
  exchanges_.at(key).exchange->attach({.done = [this, key](Call::Outcome outcome) { ended(key, std::move(outcome)); },
                                       .said = [this, key](Said said) { this->said(key, std::move(said)); },
                                       .asked = [this, key](const Value& fresh) { asked(key, fresh); }});
}

void Client::said(const std::string& key, Said said) {
  const auto& under_way = exchanges_.at(key);
  if (callbacks_.crowded()) return;
  if (said.kind == Said::Kind::progress) {
    if (under_way.token.is_null()) return;
    Value params = std::move(said.params);
    params["progressToken"] = under_way.token;
    if (!under_way.task.empty()) return tell("notifications/progress", std::move(params));
    return say(under_way.id, notification_line("notifications/progress", std::move(params)),
               {.last = false, .needed = false});
  }
  const auto& level = under_way.terms.modern() ? under_way.terms.log_level : log_level_;
  if (under_way.terms.modern() && level.empty()) return;
  const auto severity = severity_of(said.params.at("level").get_ref<const std::string&>());
  if (!level.empty() && severity < severity_of(level)) return;
  if (!under_way.task.empty()) return tell("notifications/message", std::move(said.params));
  say(under_way.id, notification_line("notifications/message", std::move(said.params)),
      {.last = false, .needed = false});
}

void Client::asked(const std::string& key, const Value& fresh) {
  auto& under_way = exchanges_.at(key);
  if (under_way.terms.modern()) return ask_back(key);
  if (fresh.empty()) return under_way.exchange->answer(Value::object());
  for (const auto& [name, request] : fresh.items()) {
    const std::string id = fmt::format("{}{}", kQuestionPrefix, next_question_++);
    questions_[id] = {key, name};
    Value params = question_for(under_way.terms.revision, request);
    const auto& method = request["method"].get_ref<const std::string&>();
    if (under_way.task.empty()) {
      say(under_way.id, request_line(id, method, std::move(params)), {.last = false});
      continue;
    }
    // Its own request was answered long ago.
    params["_meta"][std::string(kRelatedTask)] = {{"taskId", under_way.task}};
    callbacks_.send(request_line(id, method, std::move(params)));
    set_status(under_way.task, "input_required");
  }
}

// A client of 2026-07-28 is answered with what is asked; it may never come back.
void Client::ask_back(const std::string& key) {
  auto node = exchanges_.extract(key);
  auto& under_way = node.mapped();
  Value result = {{"resultType", "input_required"}};
  if (!under_way.exchange->open().empty()) result["inputRequests"] = under_way.exchange->open();
  result["requestState"] = house_.held().hold(std::move(under_way.exchange), std::chrono::steady_clock::now());
  answer_with(under_way.id, under_way.terms, std::move(result));
}

// Of a client of the session era, to a question of ours.
void Client::answer(Message message) {
  const auto* id = message.id.get_ptr<const std::string*>();
  const auto found = id == nullptr ? questions_.end() : questions_.find(*id);
  if (found == questions_.end()) return;
  const Question question = std::move(found->second);
  questions_.erase(found);
  const auto at = exchanges_.find(question.exchange);
  if (at == exchanges_.end()) return;
  Value responses = Value::object();
  if (message.kind == Message::Kind::result) {
    responses[question.key] = {{"result", std::move(message.content)}};
  } else {
    const Value* code = find(message.content, "code");
    const std::string* words = find_text(message.content, "message");
    const bool sound = code != nullptr && code->is_number_integer();
    responses[question.key]["error"] = {{"code", sound ? *code : Value(kRefusedByClient)},
                                        {"message", words == nullptr ? "" : *words}};
  }
  if (!at->second.task.empty()) set_status(at->second.task, "working");
  at->second.exchange->answer(responses);
}

void Client::forget_questions(const std::string& key) {
  std::erase_if(questions_, [&](const auto& entry) { return entry.second.exchange == key; });
}

void Client::ended(const std::string& key, Call::Outcome outcome) {
  const auto node = exchanges_.extract(key);  // it is what calls
  const auto& under_way = node.mapped();
  forget_questions(key);
  if (!under_way.task.empty()) return task_ended(under_way.task, std::move(outcome));
  auto* error = std::get_if<RpcError>(&outcome);
  if (!under_way.listen.empty()) return listened(under_way.listen, under_way.subscribes, error == nullptr);
  if (error != nullptr) {
    if (!under_way.subscribes.empty()) house_.unwatched(under_way.subscribes);
    if (under_way.terms.modern() && error->code == kNoResource) error->code = kInvalidParams;
    // Of a server's errors a transport has to know those by which it decides about itself.
    const bool of_protocol = error->code == kNoCapability || error->code == kMethodNotFound;
    return say(under_way.id, error_line(under_way.id, *error), {.code = of_protocol ? error->code : 0});
  }
  auto& result = std::get<Value>(outcome);
  if (!under_way.subscribes.empty()) watched_.insert(under_way.subscribes);
  if (under_way.terms.revision == kFirst && result.contains("content")) without_links(result["content"]);
  answer_with(under_way.id, under_way.terms, std::move(result));
}

}  // namespace gatehouse::mcp
