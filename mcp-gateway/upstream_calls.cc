// Calls of a server, and what it says and asks before it answers one.
#include <algorithm>

#include "mcp-gateway/log_level.h"
#include "mcp-gateway/upstream.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kQuestions[] = {"elicitation/create", "sampling/createMessage", "roots/list"};
constexpr size_t kMaxStateBytes = 64 << 10;
constexpr size_t kMaxKeyBytes = 128;

bool is_question(std::string_view method) {
  return std::find(std::begin(kQuestions), std::end(kQuestions), method) != std::end(kQuestions);
}

// How a question is refused that nobody is asked (2025-11-25, client/*).
std::string refusal(const Value& id, std::string_view method) {
  if (method == "elicitation/create") return result_line(id, {{"action", "cancel"}});
  if (method == "sampling/createMessage") {
    return error_line(id, {kRefusedByClient, "nobody can be asked about this now", nullptr});
  }
  return error_line(id, {kMethodNotFound, "not offered by this client", nullptr});
}

bool runs_tasks(const Value& capabilities) {
  const Value* at = &capabilities;
  for (const auto name : {"tasks", "requests", "tools", "call"}) {
    if ((at = find(*at, name)) == nullptr) return false;
  }
  return true;
}

}  // namespace

uint64_t Upstream::call(Wanted wanted, Handlers handlers) {
  const uint64_t id = next_id_;  // and that of its first request
  const auto at = calls_.emplace(id, Pending{}).first;
  at->second.wanted = std::move(wanted);
  at->second.handlers = std::move(handlers);
  if (!modern_) at->second.wanted.params.erase("inputResponses");
  const Wanted& kept = at->second.wanted;
  if (kept.method == "resources/subscribe") {
    watched_.insert(kept.params.at("uri").get<std::string>());
    if (modern_) {
      ++next_id_;
      listen_refused_ = false;
      listen();
      // There is no answer of its own; what the server does not honour never changes.
      finish(at, {Answer::Kind::result, Value::object(), {}});
      return id;
    }
  }
  if (kept.task && !modern_ && runs_tasks(capabilities_)) {
    at->second.wanted.params["task"] = {{"ttl", kept.task->count()}};
  }
  // A server of sessions is not asked twice.
  if (modern_) {
    send_call(at, kept.params);
  } else {
    send_call(at, std::exchange(at->second.wanted.params, nullptr));
  }
  return id;
}

void Upstream::send_call(Place at, Value params) {
  const uint64_t id = next_id_++;
  at->second.request = id;
  requests_[id] = at->first;
  Wanted wanted = at->second.wanted;
  wanted.params = std::move(params);
  ask(id, std::move(wanted));
}

// Its result answers the call.
void Upstream::await_task(Place at, const Value& task) {
  const std::string* id = find_text(task, "taskId");
  if (id == nullptr || id->empty() || id->size() > kMaxTaskIdBytes) {
    return finish(at, {Answer::Kind::lost, nullptr, "it makes a task of the call and does not name it"});
  }
  requests_.erase(at->second.request);
  at->second.task = *id;
  at->second.wanted.method = "tasks/result";
  at->second.wanted.name.clear();
  at->second.wanted.parameters.clear();
  send_call(at, {{"taskId", *id}});
}

void Upstream::finish(Place at, Answer answer) {
  requests_.erase(at->second.request);
  std::erase_if(asked_, [at](const auto& entry) { return entry.second.call == at->first; });
  const auto handlers = std::move(at->second.handlers);
  calls_.erase(at);
  handlers.answer(std::move(answer));
}

void Upstream::cancel(uint64_t call, std::string_view reason) {
  const auto at = calls_.find(call);
  if (at == calls_.end()) return;
  const auto request = at->second.request;
  const std::string task = std::move(at->second.task);
  const bool waits = requests_.erase(request) > 0;
  std::erase_if(asked_, [call](const auto& entry) { return entry.second.call == call; });
  calls_.erase(at);
  if (stage_ != Stage::ready || !waits) return;
  if (!task.empty()) ask(next_id_++, "tasks/cancel", {{"taskId", task}});
  tell("notifications/cancelled", {{"requestId", request}, {"reason", reason}}, request);
}

void Upstream::unwatch(const std::string& uri) {
  if (watched_.erase(uri) == 0 || stage_ != Stage::ready) return;
  if (modern_) return listen();
  ask(next_id_++, "resources/unsubscribe", {{"uri", uri}});
}

// The call that something is about: told by the transport, or the only one that there is.
Upstream::Place Upstream::call_of(std::optional<uint64_t> about) {
  if (about) {
    const auto found = requests_.find(*about);
    return found == requests_.end() ? calls_.end() : calls_.find(found->second);
  }
  return requests_.size() == 1 ? calls_.find(requests_.begin()->second) : calls_.end();
}

// What is about a task says so (2025-11-25, basic/utilities/tasks).
Upstream::Place Upstream::call_of_task(const Value& params) {
  const Value* meta = find(params, "_meta");
  const Value* related = meta == nullptr ? nullptr : find(*meta, kRelatedTask);
  const std::string* id = related == nullptr ? nullptr : find_text(*related, "taskId");
  if (id == nullptr || id->empty()) return calls_.end();
  return std::find_if(calls_.begin(), calls_.end(), [id](const auto& entry) { return entry.second.task == *id; });
}

void Upstream::take_progress(const Value& params) {
  const Value* token = find(params, "progressToken");
  const Value* progress = find(params, "progress");
  if (token == nullptr || !token->is_number_unsigned() || progress == nullptr || !progress->is_number()) return;
  // A task's token is that of the request that made it, which has the call's number.
  auto at = calls_.find(token->get<uint64_t>());
  if (at == calls_.end() || at->second.task.empty()) at = call_of(token->get<uint64_t>());
  if (at == calls_.end() || !at->second.handlers.said || !at->second.wanted.progress) return;
  Value told = {{"progress", *progress}};
  if (const Value* total = find(params, "total"); total != nullptr && total->is_number()) told["total"] = *total;
  if (const std::string* words = find_text(params, "message"); words && words->size() <= kMaxSaidBytesOfServer) {
    told["message"] = *words;
  }
  at->second.handlers.said({Said::Kind::progress, std::move(told)});
}

void Upstream::take_log(const Value& params, std::optional<uint64_t> about) {
  const std::string* level = find_text(params, "level");
  const Value* data = find(params, "data");
  if (level == nullptr || !severity_of(*level)) return;
  if (data == nullptr || json::write(*data).size() > kMaxSaidBytesOfServer) return;
  Value told = {{"level", *level}, {"data", *data}};
  if (const std::string* logger = find_text(params, "logger"); logger && logger->size() <= kMaxToolNameBytes) {
    told["logger"] = *logger;
  }
  const auto at = call_of(about);
  if (at != calls_.end() && at->second.handlers.said) {
    return at->second.handlers.said({Said::Kind::log, std::move(told)});
  }
  if (callbacks_.logged) callbacks_.logged(std::move(told));
}

// Of a server of the session era; those of the other put questions into their answers.
void Upstream::request(const Message& message, std::optional<uint64_t> about) {
  if (message.method == "ping") return tell_answer(result_line(message.id, Value::object()), about);
  if (modern_ || !is_question(message.method)) {
    return tell_answer(error_line(message.id, {kMethodNotFound, "not offered by this client", nullptr}), about);
  }
  auto at = call_of_task(message.params);
  if (at == calls_.end()) at = call_of(about);
  const auto open = static_cast<size_t>(std::count_if(asked_.begin(), asked_.end(), [&](const auto& entry) {
    return at != calls_.end() && entry.second.call == at->first;
  }));
  if (at == calls_.end() || !at->second.handlers.asked || open >= kMaxQuestions ||
      ++at->second.rounds > kMaxRounds * static_cast<int>(kMaxQuestions)) {
    return tell_answer(refusal(message.id, message.method), about);
  }
  const std::string key = fmt::format("q{}", next_question_++);
  asked_[key] = {message.id, at->first, message.method};
  Question question;
  Value params = message.params;
  params.erase("_meta");  // its tokens mean nothing to a client of ours
  question.requests[key] = {{"method", message.method}, {"params", std::move(params)}};
  at->second.handlers.asked(std::move(question));
}

void Upstream::input_required(Place at, Value content) {
  Pending& pending = at->second;
  const auto refuse = [&](std::string words) { finish(at, {Answer::Kind::lost, nullptr, std::move(words)}); };
  Question question;
  if (const Value* requests = find(content, "inputRequests")) question.requests = *requests;
  const std::string* state = find_text(content, "requestState");
  if (!question.requests.is_object() || question.requests.size() > kMaxQuestions ||
      (question.requests.empty() && state == nullptr) || (state != nullptr && state->size() > kMaxStateBytes)) {
    return refuse("it asks what is no question");
  }
  Value methods = Value::object();
  for (const auto& [key, request] : question.requests.items()) {
    const std::string* method = find_text(request, "method");
    if (key.size() > kMaxKeyBytes || method == nullptr || !is_question(*method)) {
      return refuse("it asks what is no question");
    }
    methods[key] = *method;
    const Value* params = find(request, "params");
    if (params != nullptr && !params->is_object()) return refuse("it asks what is no question");
    Value told = params == nullptr ? Value::object() : *params;
    told.erase("_meta");  // its tokens mean nothing to a client of ours
    question.requests[key] = {{"method", *method}, {"params", told}};
  }
  if (++pending.rounds > kMaxRounds) return refuse("it does not stop asking");
  if (!pending.handlers.asked) return refuse("it asks for what nobody here can answer");
  pending.methods = std::move(methods);
  pending.has_state = state != nullptr;
  pending.state = state == nullptr ? "" : *state;
  requests_.erase(pending.request);
  pending.handlers.asked(std::move(question));
}

void Upstream::reply(uint64_t call, const Value& responses) {
  const auto at = calls_.find(call);
  if (at == calls_.end() || stage_ != Stage::ready) return;
  if (!modern_) {
    for (const auto& [key, response] : responses.items()) {
      const auto found = asked_.find(key);
      if (found == asked_.end() || found->second.call != call) continue;
      const Value id = std::move(found->second.id);
      asked_.erase(found);
      const Value* error = find(response, "error");
      const Value* result = find(response, "result");
      Value answer = {{"jsonrpc", "2.0"}, {"id", id}};
      if (error != nullptr) answer["error"] = *error;
      if (error == nullptr) answer["result"] = result == nullptr ? Value::object() : *result;
      tell_answer(json::write(answer) + '\n', at->second.request);
    }
    return;
  }
  if (at->second.methods.is_null()) return;
  // One that only wants to be asked again is not asked at once.
  if (at->second.methods.empty()) {
    at->second.responses = Value::object();
    return;
  }
  retry(at, responses);
}

void Upstream::retry(Place at, const Value& responses) {
  Pending& pending = at->second;
  const Value methods = std::exchange(pending.methods, nullptr);
  Value answers = Value::object();
  for (const auto& [key, method] : methods.items()) {
    const Value* response = find(responses, key);
    const Value* error = response == nullptr ? nullptr : find(*response, "error");
    if (error != nullptr && method != "elicitation/create") {
      return finish(at, {Answer::Kind::error, *error, {}});  // there is no place for it in a retry
    }
    const Value* result = response == nullptr ? nullptr : find(*response, "result");
    if (error != nullptr) {
      answers[key] = {{"action", "cancel"}};
    } else if (result != nullptr) {
      answers[key] = *result;
    }
  }
  Value params = pending.wanted.params;
  if (!methods.empty()) params["inputResponses"] = std::move(answers);
  if (pending.has_state) params["requestState"] = pending.state;
  send_call(at, std::move(params));
}

}  // namespace gatehouse::mcp
