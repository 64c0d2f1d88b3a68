// What comes back of a call: in order, and nothing of it to the guest before it is looked through.
#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "mcp-gateway/call.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxErrorBytes = 4 << 10;  // of an upstream's words
constexpr std::string_view kAsksRule = "mcp.asks";
constexpr std::string_view kAnswersRule = "mcp.answers";

// A server's error in the form that the guest is given.
RpcError error_of(const Value& object) {
  RpcError error;
  if (const Value* code = find(object, "code"); code != nullptr && code->is_number_integer()) {
    const auto number = code->get<int64_t>();
    error.code = number >= -100'000 && number <= 100'000 ? static_cast<int>(number) : kInternalError;
  }
  const std::string* message = find_text(object, "message");
  error.message = message == nullptr ? "the server says no more" : log::printable(*message, kMaxErrorBytes);
  if (const Value* data = find(object, "data")) error.data = *data;
  return error;
}

bool is_array(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  return value != nullptr && value->is_array();
}

// Whether a result is one of that kind of request.
bool is_sound(Call::What what, const std::string& method, const Value& result) {
  switch (what) {
    case Call::What::tool: {
      const Value* failed = find(result, "isError");
      return is_array(result, "content") && (failed == nullptr || failed->is_boolean());
    }
    case Call::What::prompt:
      return is_array(result, "messages");
    case Call::What::resource:
      return method != "resources/read" || is_array(result, "contents");
    case Call::What::completion: {
      const Value* completion = find(result, "completion");
      return completion != nullptr && is_array(*completion, "values");
    }
  }
  return false;
}

// Of a result, what clients know.
std::vector<std::string_view> members_of(Call::What what) {
  switch (what) {
    case Call::What::tool:
      return {"content", "structuredContent", "isError"};
    case Call::What::prompt:
      return {"description", "messages"};
    case Call::What::resource:
      return {"contents"};
    case Call::What::completion:
      return {"completion"};
  }
  return {};
}

// Its resources by the names by which the client can ask for them.
void show_uris_of(Call::What what, std::string_view server, Value& told) {
  if (what == Call::What::tool) {
    for (auto& block : told["content"]) show_uris(server, block);
  } else if (what == Call::What::resource && told.contains("contents")) {
    for (auto& content : told["contents"]) show_uris(server, content);
  } else if (what == Call::What::prompt) {
    for (auto& message : told["messages"]) {
      if (const auto content = message.is_object() ? message.find("content") : message.end();
          content != message.end()) {
        show_uris(server, *content);
      }
    }
  }
}

bool has_text(const Said& said) { return said.kind == Said::Kind::log || said.params.contains("message"); }

}  // namespace

void Call::came(Inbound inbound) {
  if (std::holds_alternative<Said>(inbound) && inbound_.size() >= kMaxSaidOfCall) return;
  inbound_.push_back(std::move(inbound));
  next();
}

void Call::next() {
  if (looking_in_ || inbound_.empty() || !under_way_) return;
  auto first = std::move(inbound_.front());
  inbound_.pop_front();
  looking_in_ = true;
  if (auto* one = std::get_if<Said>(&first)) return said(std::move(*one));
  if (auto* one = std::get_if<Question>(&first)) return questioned(std::move(*one));
  answered(std::move(std::get<Answer>(first)));
}

void Call::look_in(std::string_view what, const Value& value, std::function<void(const Looked&)> then) {
  scan_ = std::make_unique<TextScan>(tools_.scanner, stream(dlp::Direction::in), what, value,
                                     [this, then = std::move(then)](const Looked& looked) {
                                       const auto scan = std::move(scan_);  // it is what calls
                                       record_findings(looked, dlp::Direction::in);
                                       then(looked);
                                     });
}

void Call::said(Said said) {
  said_ = std::move(said);
  const auto pass_on = [this] {
    looking_in_ = false;
    if (callbacks_.said) callbacks_.said(std::move(said_));
    next();
  };
  if (!has_text(said_)) return pass_on();
  look_in(said_.kind == Said::Kind::log ? "log message" : "progress message", said_.params,
          [this, pass_on](const Looked& looked) {
            if (looked.decision.verdict != Verdict::deny) return pass_on();
            looking_in_ = false;  // its row says why
            next();
          });
}

// Why nobody is to be asked this, or "".
std::string Call::objection_to_question() const {
  for (const auto& declared : policy_->mcp_servers()) {
    if (declared.name != asked_.server) continue;
    for (const auto& request : asking_.requests) {
      const std::string& method = *find_text(request, "method");
      const std::string_view ability = std::string_view(method).substr(0, method.find('/'));
      const bool allowed = std::any_of(declared.asks.begin(), declared.asks.end(), [&](policy::McpAsk ask) {
        return policy::kMcpAskNames[static_cast<size_t>(ask)] == ability;
      });
      if (!allowed)
        return fmt::format("the policy does not let server '{}' ask for {} (\"asks\")", declared.name, ability);
      const Value* able = find(asked_.capabilities, ability);
      const std::string* mode = find_text(request["params"], "mode");
      if (able == nullptr || (mode != nullptr && *mode == "url" && find(*able, "url") == nullptr)) {
        return fmt::format("this client does not answer {}{}", method, able == nullptr ? "" : " of mode url");
      }
    }
    return "";
  }
  return "the server is not the policy's any more";
}

void Call::questioned(Question question) {
  asking_ = std::move(question);
  if (asking_.requests.empty()) {
    looking_in_ = false;
    if (callbacks_.asked) {
      callbacks_.asked(asking_);
    } else {
      send_reply(Value::object());
    }
    return next();
  }
  if (auto why = objection_to_question(); !why.empty()) {
    return refuse_question(asking_.requests, {Verdict::deny, std::string(kAsksRule), std::move(why)}, false);
  }
  look_in("question", asking_.requests, [this](const Looked& looked) { question_looked_in(looked); });
}

void Call::question_looked_in(const Looked& looked) {
  if (looked.decision.verdict == Verdict::deny) return refuse_question(asking_.requests, looked.decision, false);
  auto row = question_row(asking_.requests, {Verdict::allow, std::string(kAsksRule), "the server asks the client"});
  tools_.record(std::move(row), [this, alive = alive_](const Result<void>& committed) {
    if (!*alive || !under_way_) return;
    if (!committed) return give_up_unrecorded();
    looking_in_ = false;
    deadline_.start(kQuestionTime);
    for (const auto& [key, request] : asking_.requests.items()) open_[key] = request;
    if (callbacks_.asked) callbacks_.asked(asking_);
    next();
  });
}

audit::McpCall Call::question_row(const Value& requests, Decision decision) const {
  audit::McpCall row;
  row.event_id = make_uuid();
  row.trace_id = trace_id_;
  row.decision = std::move(decision);
  row.method = requests.empty() ? "" : *find_text(*requests.begin(), "method");
  row.server = asked_.server;
  row.tool = asked_.listed ? asked_.name : "";
  row.arguments = "{}";
  row.pin = asked_.pin;
  return row;
}

// Each in the words of the protocol: the user declines, or there is nobody to answer.
void Call::refuse_question(const Value& requests, Decision why, bool asked) {
  Value responses = Value::object();
  for (const auto& [key, request] : requests.items()) {
    if (*find_text(request, "method") == "elicitation/create") {
      responses[key] = {{"result", {{"action", "decline"}}}};
    } else {
      responses[key] = {{"error", {{"code", kRefusedByClient}, {"message", "Gatehouse denied it"}}}};
    }
  }
  auto row = question_row(requests, std::move(why));
  Said told{Said::Kind::log,
            {{"level", "warning"},
             {"logger", "gatehouse"},
             {"data",
              {{"message", fmt::format("Gatehouse denied what you answered the server '{}', which is told that you do "
                                       "not answer: {}",
                                       asked_.server, row.decision.reason)},
               {"rule", row.decision.rule_id},
               {"event_id", row.event_id}}}}};
  tools_.record(std::move(row),
                [this, alive = alive_, responses, asked, told = std::move(told)](const Result<void>& committed) {
                  if (!*alive || !under_way_) return;
                  if (!committed) return give_up_unrecorded();
                  // There is no answer to an answer.
                  if (asked && callbacks_.said) callbacks_.said(told);
                  send_reply(responses);
                  if (asked) return;
                  looking_in_ = false;
                  next();
                });
}

void Call::give_up_unrecorded() {
  if (Upstream* upstream = tools_.upstream(asked_.server); upstream != nullptr && sent_) {
    upstream->cancel(*std::exchange(sent_, std::nullopt), "its questions cannot be put on record");
  }
  end("failed", "the audit log cannot be written",
      RpcError{kDenied, "the audit log cannot be written, so nothing may pass", nullptr});
}

void Call::reply(Value responses) {
  if (!under_way_) return;
  if (responses.empty() && open_.empty()) return send_reply(responses);
  replies_.push_back(std::move(responses));
  if (replies_.size() == 1) take_reply();
}

void Call::take_reply() {
  Value known = Value::object();
  for (const auto& [key, response] : replies_.front().items()) {
    if (open_.contains(key)) known[key] = response;
  }
  replies_.front() = std::move(known);
  reply_scan_ = std::make_unique<TextScan>(tools_.scanner, stream(dlp::Direction::out), "answers", replies_.front(),
                                           [this](const Looked& looked) { reply_looked_out(looked); });
}

void Call::reply_looked_out(const Looked& looked) {
  const auto scan = std::move(reply_scan_);  // it is what calls
  record_findings(looked, dlp::Direction::out);
  if (!under_way_) return;
  const Value replies = std::move(replies_.front());
  replies_.pop_front();
  Value answered = Value::object();
  for (const auto& [key, response] : replies.items()) {
    answered[key] = open_[key];
    open_.erase(key);
  }
  const size_t bytes = json::write(replies).size();
  Decision decision = looked.decision;
  if (decision.verdict != Verdict::deny && !decision_.quotas.empty()) {
    if (const auto over = tools_.budgets.spend(decision_.quotas, bytes, 0)) decision = over->denial;
  }
  if (decision.verdict == Verdict::deny) {
    refuse_question(answered, std::move(decision), true);
  } else {
    auto row = question_row(answered, {Verdict::allow, std::string(kAnswersRule), "the client answers the server"});
    row.arguments_bytes = bytes;
    tools_.record(std::move(row), [this, alive = alive_, replies](const Result<void>& committed) {
      if (!*alive || !under_way_) return;
      if (!committed) return give_up_unrecorded();
      send_reply(replies);
    });
  }
  if (!replies_.empty()) take_reply();
}

void Call::send_reply(const Value& responses) {
  if (!sent_) return;
  if (open_.empty()) deadline_.start(call_time());
  if (Upstream* upstream = tools_.upstream(asked_.server)) upstream->reply(*sent_, responses);
}

void Call::answered(Answer answer) {
  deadline_.stop();
  if (answer.kind == Answer::Kind::lost) {
    return end(
        "failed", answer.words,
        RpcError{kUpstream, fmt::format("the server '{}' gave no answer to the call: {}", asked_.server, answer.words),
                 nullptr});
  }
  answer_bytes_ = json::write(answer.content).size();
  if (answer_bytes_ > decision_.result_bytes) {
    const std::string by =
        decision_.result_rule.empty() ? "the default" : fmt::format("rule '{}'", decision_.result_rule);
    return end(
        "withheld", "too large",
        RpcError{kDenied,
                 fmt::format("the result of '{}' has {} bytes, more than the {} that {} lets through; ask for less",
                             asked_.shown, answer_bytes_, decision_.result_bytes, by),
                 {{"rule", decision_.result_rule.empty() ? "limit.result" : decision_.result_rule},
                  {"event_id", event_id_}}});
  }
  if (!decision_.quotas.empty()) {
    if (const auto over = tools_.budgets.spend(decision_.quotas, 0, answer_bytes_)) {
      return end("withheld", over->denial.rule_id,
                 RpcError{kBusy,
                          fmt::format("Gatehouse withheld the answer of '{}': {}", asked_.shown, over->denial.reason),
                          {{"rule", over->denial.rule_id}, {"event_id", event_id_}}});
    }
  }
  if (answer.kind == Answer::Kind::result && !is_sound(asked_.what, asked_.method, answer.content)) {
    return end("failed", fmt::format("no result of {}", asked_.method),
               RpcError{kUpstream,
                        fmt::format("what the server '{}' answered is no result of {}", asked_.server, asked_.method),
                        nullptr});
  }
  answer_ = std::move(answer);
  look_in(answer_.kind == Answer::Kind::result ? "result" : "error", answer_.content,
          [this](const Looked& looked) { answer_looked_in(looked); });
}

void Call::answer_looked_in(const Looked& looked) {
  if (looked.decision.verdict == Verdict::deny) {
    return end("withheld", looked.decision.rule_id,
               RpcError{kDenied,
                        fmt::format("Gatehouse withheld the answer of '{}': {}", asked_.shown, looked.decision.reason),
                        {{"rule", looked.decision.rule_id},
                         {"event_id", event_id_},
                         {"what_to_do", "The call itself may have taken effect. Do without its answer."}}});
  }
  if (answer_.kind == Answer::Kind::error) {
    auto error = error_of(answer_.content);
    const std::string* uri = find_text(error.data, "uri");
    if (asked_.what == What::resource && uri != nullptr && *uri == asked_.name) error.data["uri"] = asked_.shown;
    return end("error", "", std::move(error));
  }
  Value told = Value::object();
  for (const auto member : members_of(asked_.what)) {
    if (const auto value = answer_.content.find(member); value != answer_.content.end()) {
      told[std::string(member)] = std::move(*value);
    }
  }
  if (!asked_.own_names) show_uris_of(asked_.what, asked_.server, told);
  const Value* is_error = find(told, "isError");
  const bool failed = asked_.what == What::tool && is_error != nullptr && is_error->get<bool>();
  end(failed ? "tool-error" : "result", "", std::move(told));
}

void Call::end(std::string outcome, std::string error, Outcome told) {
  under_way_ = false;
  deadline_.stop();
  scan_.reset();
  reply_scan_.reset();
  inbound_.clear();
  replies_.clear();
  const auto lasted = std::chrono::steady_clock::now() - sent_at_;
  const bool answer_passes = outcome == "result" || outcome == "tool-error" || outcome == "error";
  audit::McpResult row{event_id_,
                       trace_id_,
                       std::move(outcome),
                       answer_bytes_,
                       static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(lasted).count()),
                       log::printable(error)};
  // The server has had the call, and its row is there; an answer that may pass need not wait for this one.
  if (answer_passes) {
    if (tools_.note) {
      tools_.note(std::move(row));
    } else {
      tools_.record(std::move(row), [](const Result<void>&) {});
    }
    return finish(std::move(told));
  }
  tools_.record(std::move(row), [this, alive = alive_, told = std::move(told)](const Result<void>& committed) mutable {
    if (!*alive) return;
    if (!committed) return finish(RpcError{kDenied, "the audit log cannot be written, so nothing may pass", nullptr});
    finish(std::move(told));
  });
}

void Call::finish(Outcome told) {
  const auto done = std::move(callbacks_.done);
  done(std::move(told));
}

}  // namespace gatehouse::mcp
