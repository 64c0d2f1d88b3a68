#include "mcp-gateway/call.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxDescribedMembers = 64;
constexpr std::string_view kNotListed = "[not listed]";
constexpr size_t kMaxErrorBytes = 4 << 10;  // of an upstream's words
constexpr std::chrono::milliseconds kDefaultTime = policy::kDefaultCallTime;

std::string kind_words(const Value& value) {
  switch (value.type()) {
    case Value::value_t::string:
      return fmt::format("<text of {}>", value.get_ref<const std::string&>().size());
    case Value::value_t::array:
      return fmt::format("<list of {}>", value.size());
    case Value::value_t::object:
      return fmt::format("<object of {}>", value.size());
    case Value::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Value::value_t::null:
      return "null";
    default:
      return "<number>";
  }
}

std::chrono::milliseconds call_time(const policy::Policy& policy, const std::string& server) {
  for (const auto& declared : policy.mcp_servers()) {
    if (declared.name == server) return declared.call_time;
  }
  return kDefaultTime;
}

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

}  // namespace

std::string describe_arguments(const Value& arguments, const Value& schema) {
  const Value* known = find(schema, "properties");
  Value described = Value::object();
  size_t unknown = 0;
  for (const auto& [key, value] : arguments.items()) {
    const bool named = known != nullptr && find(*known, key) != nullptr && described.size() < kMaxDescribedMembers;
    if (named) {
      described[log::printable(key, 64)] = kind_words(value);
    } else {
      ++unknown;
    }
  }
  if (unknown > 0) described["..."] = fmt::format("<{} that the tool does not name>", unknown);
  return json::write(described);
}

Call::Call(CallTools& tools, Asked asked, Callbacks callbacks)
    : tools_(tools),
      asked_(std::move(asked)),
      callbacks_(std::move(callbacks)),
      policy_(tools.policy.get()),
      event_id_(make_uuid()),
      trace_id_(make_uuid()),
      deadline_(tools.loop, [this] {
        if (Upstream* upstream = tools_.upstream(asked_.server); upstream != nullptr && sent_) {
          upstream->cancel(*std::exchange(sent_, std::nullopt), "it took too long");
        }
        end("timeout", "no answer in time",
            RpcError{kTimeout, fmt::format("'{}' did not answer within its call_time", asked_.shown), nullptr});
      }) {
  decision_ = policy_->judge(policy::McpCall{asked_.server, asked_.tool, asked_.arguments});
  if (asked_.withheld) {
    if (decision_.verdict != Verdict::deny) static_cast<Decision&>(decision_) = *asked_.withheld;
    if (!asked_.listed) decision_.reason = asked_.withheld->reason;  // the policy's names the tool
  }
  if (decision_.verdict == Verdict::deny) {
    record_decision();
  } else {
    look_out();
  }
}

Call::~Call() {
  *alive_ = false;
  if (!under_way_) return;
  if (Upstream* upstream = tools_.upstream(asked_.server); upstream != nullptr && sent_) {
    upstream->cancel(*sent_, "no longer wanted");
  }
  const auto lasted = std::chrono::steady_clock::now() - sent_at_;
  tools_.record(
      audit::McpResult{event_id_, trace_id_, "cancelled", answer_bytes_,
                       static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(lasted).count()),
                       ""},
      [](const Result<void>&) {});
}

dlp::StreamInfo Call::stream(dlp::Direction direction) const {
  return {"mcp", direction, scan_host(asked_.server), trace_id_};
}

void Call::look_out() {
  scan_ = std::make_unique<TextScan>(tools_.scanner, stream(dlp::Direction::out), "arguments", asked_.arguments,
                                     [this](Looked looked) { looked_out(std::move(looked)); });
}

void Call::looked_out(Looked looked) {
  scan_.reset();
  // In order before the call's own row, which is not written if one of these fails: the log then fails all.
  for (auto& row : finding_rows(looked, stream(dlp::Direction::out))) {
    tools_.record(std::move(row), [](const Result<void>&) {});
  }
  if (looked.decision.verdict == Verdict::deny) static_cast<Decision&>(decision_) = looked.decision;
  if (decision_.verdict == Verdict::ask) return ask_somebody();
  decided();
}

void Call::ask_somebody() {
  if (tools_.approver == nullptr) {
    decision_.verdict = Verdict::deny;
    decision_.reason += "; and here there is nobody to ask";
    return record_decision();
  }
  approval::Wanted wanted;
  wanted.trace_id = trace_id_;
  wanted.rule = decision_.rule_id;
  wanted.reason = decision_.reason;
  wanted.channel = "mcp";
  wanted.what = fmt::format("{} {}", asked_.server, asked_.tool);
  wanted.detail = describe_arguments(asked_.arguments, asked_.schema);
  wanted.key = fmt::format("mcp {} {} {} {}", asked_.server, asked_.tool, asked_.pin, pin_of(asked_.arguments));
  wanted.time = policy_->limits().approval_time;
  question_ = tools_.approver->ask(std::move(wanted), [this](approval::Decided decided) {
    const auto asked = std::move(question_);  // it is what calls
    decision_.verdict = decided.allowed ? Verdict::allow : Verdict::deny;
    decision_.reason += decided.allowed      ? fmt::format("; {} approved it", decided.by)
                        : decided.by.empty() ? fmt::format("; {}", decided.reason)
                                             : fmt::format("; {} denied it", decided.by);
    this->decided();
  });
}

// Nobody objects; what is left of the budgets has the last word.
void Call::decided() {
  if (decision_.allowed() && !decision_.quotas.empty()) {
    overdrawn_ = tools_.budgets.admit(decision_.quotas, asked_.arguments_bytes, std::chrono::steady_clock::now());
    if (overdrawn_) static_cast<Decision&>(decision_) = overdrawn_->denial;
  }
  record_decision();
}

void Call::record_decision() {
  audit::McpCall row;
  row.event_id = event_id_;
  row.trace_id = trace_id_;
  row.decision = decision_;
  row.method = "tools/call";
  row.server = asked_.server;
  row.tool = asked_.listed ? asked_.tool : std::string(kNotListed);
  row.arguments = describe_arguments(asked_.arguments, asked_.schema);
  row.arguments_bytes = asked_.arguments_bytes;
  row.pin = asked_.pin;
  tools_.record(std::move(row), [this, alive = alive_](const Result<void>& committed) {
    if (*alive) recorded(committed);
  });
}

void Call::recorded(const Result<void>& committed) {
  if (!committed) {
    log::error("a call is denied, for its row cannot be written: {}", committed.error().message());
    return finish(RpcError{kDenied, "the audit log cannot be written, so nothing may pass", nullptr});
  }
  if (decision_.verdict != Verdict::allow) return finish(denial());
  forward();
}

RpcError Call::denial() const {
  Value data = {
      {"rule", decision_.rule_id},
      {"event_id", event_id_},
      {"what_to_do", "Do without this call, or ask the operator to allow it: the rule and the event are named here."}};
  if (overdrawn_ && overdrawn_->retry_after.count() > 0) {
    data["retry_after_s"] = overdrawn_->retry_after.count();
    data["what_to_do"] = "Wait, then call again.";
  }
  return {overdrawn_ ? kBusy : kDenied,
          fmt::format("Gatehouse denied the call of '{}': {}", log::printable(asked_.shown, kMaxToolNameBytes),
                      decision_.reason),
          std::move(data)};
}

void Call::forward() {
  sent_at_ = std::chrono::steady_clock::now();
  under_way_ = true;
  Upstream* upstream = tools_.upstream(asked_.server);
  if (upstream == nullptr || !upstream->ready()) {
    return end(
        "failed", "the server is not running",
        RpcError{kUpstream, fmt::format("the server '{}' is not running; try again later", asked_.server), nullptr});
  }
  deadline_.start(call_time(*policy_, asked_.server));
  Upstream::OnProgress on_progress;
  if (callbacks_.progress) on_progress = [this](Progress progress) { callbacks_.progress(std::move(progress)); };
  sent_ = upstream->call(
      asked_.tool, asked_.arguments, [this](Answer answer) { answered(std::move(answer)); }, std::move(on_progress));
}

void Call::answered(Answer answer) {
  sent_.reset();
  deadline_.stop();
  if (answer.kind == Answer::Kind::lost) {
    return end(
        "failed", answer.words,
        RpcError{kUpstream, fmt::format("the server '{}' ended during the call: {}", asked_.server, answer.words),
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
  if (answer.kind == Answer::Kind::result) {
    const Value* content = find(answer.content, "content");
    const Value* failed_flag = find(answer.content, "isError");
    const bool sound =
        content != nullptr && content->is_array() && (failed_flag == nullptr || failed_flag->is_boolean());
    if (!sound) {
      return end("failed", "no result of a tool",
                 RpcError{kUpstream, fmt::format("what the server '{}' answered is no result of a tool", asked_.server),
                          nullptr});
    }
  }
  look_in(std::move(answer));
}

void Call::look_in(Answer answer) {
  answer_ = std::move(answer);
  const bool result = answer_.kind == Answer::Kind::result;
  scan_ = std::make_unique<TextScan>(tools_.scanner, stream(dlp::Direction::in), result ? "result" : "error",
                                     answer_.content, [this](const Looked& looked) { looked_in(looked); });
}

void Call::looked_in(const Looked& looked) {
  const auto scan = std::move(scan_);  // it is what calls
  for (auto& row : finding_rows(looked, stream(dlp::Direction::in))) {
    tools_.record(std::move(row), [](const Result<void>&) {});
  }
  if (looked.decision.verdict == Verdict::deny) {
    return end("withheld", looked.decision.rule_id,
               RpcError{kDenied,
                        fmt::format("Gatehouse withheld the answer of '{}': {}", asked_.shown, looked.decision.reason),
                        {{"rule", looked.decision.rule_id},
                         {"event_id", event_id_},
                         {"what_to_do", "The call itself may have taken effect. Do without its answer."}}});
  }
  if (answer_.kind == Answer::Kind::error) return end("error", "", error_of(answer_.content));
  Value told = {{"content", answer_.content["content"]}};
  for (const auto member : {"structuredContent", "isError"}) {
    if (const Value* value = find(answer_.content, member)) told[member] = *value;
  }
  const Value* is_error = find(told, "isError");
  end(is_error != nullptr && is_error->get<bool>() ? "tool-error" : "result", "", std::move(told));
}

void Call::end(std::string outcome, std::string error, Outcome told) {
  under_way_ = false;
  deadline_.stop();
  const auto lasted = std::chrono::steady_clock::now() - sent_at_;
  audit::McpResult row{event_id_,
                       trace_id_,
                       std::move(outcome),
                       answer_bytes_,
                       static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(lasted).count()),
                       log::printable(error)};
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
