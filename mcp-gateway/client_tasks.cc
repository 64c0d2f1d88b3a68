// Calls that a client asks about later (specification 2025-11-25, basic/utilities/tasks). They are kept here: whatever
// its era, a server has a call like any other, judged, looked through and on record like any other.
#include <fmt/chrono.h>

#include "mcp-gateway/client.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kStatusNotification = "notifications/tasks/status";

std::string timestamp(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(time)), ms % 1000);
}

bool is_over(std::string_view status) { return status != "working" && status != "input_required"; }

std::string exchange_of(const std::string& task) { return "task " + task; }  // no id is written so

size_t bytes_of(const Call::Outcome& outcome) {
  const auto* result = std::get_if<Value>(&outcome);
  return result == nullptr ? 0 : json::write(*result).size();
}

}  // namespace

Value Client::told_of(const std::string& id, const Task& task) {
  return {{"taskId", id},
          {"status", task.status},
          {"createdAt", timestamp(task.created)},
          {"lastUpdatedAt", timestamp(task.updated)},
          {"ttl", task.kept.count()},
          {"pollInterval", kPollTime.count()}};
}

void Client::begin_task(const Value& id, UnderWay under_way, std::chrono::milliseconds kept, CarriedRequest request) {
  drop_old_tasks();
  if (tasks_.size() >= kMaxTasksOfClient) return refuse(id, kBusy, "too many tasks at once; ask for their results");
  const std::string task = make_token();
  auto call = house_.call(std::move(request), under_way.exchange->callbacks());
  if (!call) return refuse(id, call.error().code, call.error().message, call.error().data);
  under_way.exchange->own(std::move(*call));
  under_way.task = task;
  const auto now = Task::Clock::now();
  const auto& kept_task = tasks_.emplace(task, Task{.created = now, .updated = now, .kept = kept}).first->second;
  exchanges_.emplace(exchange_of(task), std::move(under_way));
  attach(exchange_of(task));
  say(id, result_line(id, {{"task", told_of(task, kept_task)}}));
}

// One that is over is kept for the time that was agreed on, and not for longer; one that works ends with its call.
void Client::drop_old_tasks() {
  const auto now = Task::Clock::now();
  std::erase_if(tasks_, [now](const auto& entry) {
    return is_over(entry.second.status) && now - entry.second.created >= entry.second.kept;
  });
}

void Client::serve_task(const Message& message) {
  drop_old_tasks();
  if (message.method == "tasks/list") {
    Value tasks = Value::array();
    for (const auto& [id, task] : tasks_) tasks.push_back(told_of(id, task));
    return say(message.id, result_line(message.id, {{"tasks", std::move(tasks)}}));
  }
  const std::string* id = find_text(message.params, "taskId");
  const auto found = id == nullptr ? tasks_.end() : tasks_.find(*id);
  if (found == tasks_.end()) return refuse(message.id, kInvalidParams, "there is no such task, or no longer");
  auto& [name, task] = *found;
  if (message.method == "tasks/result") {
    if (is_over(task.status)) return give_outcome(message.id, name);
    task.waiting.push_back(message.id);
    if (task.waiting.size() > kMaxCallsOfClient) {
      task.waiting.pop_back();
      refuse(message.id, kBusy, "too many wait for that task");
    }
    return;
  }
  if (message.method == "tasks/cancel") {
    if (is_over(task.status)) return refuse(message.id, kInvalidParams, "the task is over");
    const std::string exchange = exchange_of(name);
    exchanges_.erase(exchange);
    forget_questions(exchange);
    task.outcome = RpcError{kInvalidRequest, "the task was cancelled", nullptr};
    set_status(name, "cancelled");
  }
  say(message.id, result_line(message.id, told_of(name, task)));
}

void Client::set_status(const std::string& task, std::string_view status) {
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  found->second.status = status;
  found->second.updated = Task::Clock::now();
  for (const auto& id : is_over(status) ? std::exchange(found->second.waiting, {}) : std::vector<Value>()) {
    give_outcome(id, task);
  }
  if (ready_ && !callbacks_.crowded()) tell(kStatusNotification, told_of(task, found->second));
}

void Client::task_ended(const std::string& task, Call::Outcome outcome) {
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  Task& one = found->second;
  one.room = std::make_unique<Room::Share>(house_.room());
  if (!one.room->resize(bytes_of(outcome))) {
    outcome = RpcError{kBusy, "there is no room to keep the result; call without \"task\"", nullptr};
  }
  const auto* result = std::get_if<Value>(&outcome);
  const Value* failed = result == nullptr ? nullptr : find(*result, "isError");
  const bool done = result != nullptr && (failed == nullptr || !failed->get<bool>());
  one.outcome = std::move(outcome);
  set_status(task, done ? "completed" : "failed");
}

void Client::give_outcome(const Value& id, const std::string& task) {
  const auto& outcome = *tasks_.at(task).outcome;
  if (const auto* error = std::get_if<RpcError>(&outcome)) {
    const bool of_protocol = error->code == kNoCapability || error->code == kMethodNotFound;
    return say(id, error_line(id, *error), {.code = of_protocol ? error->code : 0});
  }
  Value result = std::get<Value>(outcome);
  result["_meta"][std::string(kRelatedTask)] = {{"taskId", task}};
  answer_with(id, {kRevisions[0]}, std::move(result));
}

}  // namespace gatehouse::mcp
