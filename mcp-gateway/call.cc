#include "mcp-gateway/call.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "mcp-gateway/header_parameters.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxDescribedMembers = 64;
constexpr std::string_view kNotListed = "[not listed]";
constexpr size_t kMaxRowNameBytes = 512;

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

// What of a client's abilities a server may be told of.
Value told_capabilities(const policy::Policy& policy, const std::string& server, const Value& of_client) {
  Value told = Value::object();
  for (const auto& declared : policy.mcp_servers()) {
    if (declared.name != server) continue;
    for (const auto ask : declared.asks) {
      const auto name = policy::kMcpAskNames[static_cast<size_t>(ask)];
      if (const Value* ability = find(of_client, name); ability != nullptr && ability->is_object()) {
        told[std::string(name)] = *ability;
      }
    }
  }
  return told;
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
      link_(ModelLink::of(asked_.what == What::tool ? tools.model_link : nullptr, asked_.shown, arguments())),
      deadline_(tools.loop, [this] {
        if (Upstream* upstream = tools_.upstream(asked_.server); upstream != nullptr && sent_) {
          upstream->cancel(*std::exchange(sent_, std::nullopt), "it took too long");
        }
        end("timeout", "no answer in time",
            RpcError{kTimeout, fmt::format("'{}' did not answer within its call_time", asked_.shown), nullptr});
      }) {
  judge();
  // The auditor wants to know what else was asked for, but no secret on record: it is looked through, denied or not.
  const bool unknown_address = asked_.what == What::resource && !asked_.listed;
  if (decision_.verdict == Verdict::deny && !unknown_address) {
    record_decision();
  } else {
    look_out();
  }
}

void Call::judge() {
  switch (asked_.what) {
    case What::tool:
      decision_ = policy_->judge(policy::McpCall{asked_.server, asked_.name, arguments()});
      break;
    case What::prompt:
      decision_ = policy_->judge(policy::McpPrompt{asked_.server, asked_.name});
      break;
    case What::resource:
      decision_ = policy_->judge(policy::McpRead{asked_.server, asked_.name});
      break;
    case What::completion:
      if (asked_.of_prompt) {
        decision_ = policy_->judge(policy::McpPrompt{asked_.server, asked_.name});
        break;
      }
      // Of a template that is shown, and short: which values are suggested is no more than its server tells anyway.
      decision_.rule_id = "mcp.shown";
      decision_.verdict = Verdict::allow;
      decision_.reason = "it is about what the policy lets be used";
      break;
  }
  if (!asked_.withheld) return;
  if (decision_.verdict != Verdict::deny) static_cast<Decision&>(decision_) = *asked_.withheld;
  if (!asked_.listed) decision_.reason = asked_.withheld->reason;  // the policy's names the tool
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

// Of a tool or a prompt.
const Value& Call::arguments() const {
  static const Value kNone = Value::object();
  const Value* given = find(asked_.params, "arguments");
  return given == nullptr ? kNone : *given;
}

// What the guest chose of it.
const Value& Call::outward() const {
  return asked_.what == What::tool && asked_.params.size() == 2 ? arguments() : asked_.params;
}

std::chrono::milliseconds Call::call_time() const {
  for (const auto& declared : policy_->mcp_servers()) {
    if (declared.name == asked_.server) return declared.call_time;
  }
  return policy::kDefaultCallTime;
}

// To the scanner each call is a stream of its own, also of those that one answer of a model asked for: pieces of a
// secret that they carry are several.
dlp::StreamInfo Call::stream(dlp::Direction direction) const {
  return {"mcp", direction, scan_host(asked_.server), event_id_};
}

void Call::record_findings(const Looked& looked, dlp::Direction direction) {
  auto info = stream(direction);
  info.trace_id = trace_id_;
  for (auto& row : finding_rows(looked, info)) tools_.record(std::move(row), [](const Result<void>&) {});
}

void Call::look_out() {
  scan_ = std::make_unique<TextScan>(tools_.scanner, stream(dlp::Direction::out), "arguments", outward(),
                                     [this](Looked looked) { looked_out(std::move(looked)); });
}

void Call::looked_out(Looked looked) {
  scan_.reset();
  // In order before the call's own row, which is not written if one of these fails: the log then fails all.
  record_findings(looked, dlp::Direction::out);
  name_is_clean_ = looked.findings.empty() && looked.decision.allowed();
  // The policy's words quote the address.
  if (asked_.what == What::resource && !asked_.listed && !name_is_clean_ && !decision_.allowed()) {
    decision_.verdict = Verdict::deny;
    decision_.reason = "the scanner objects to that address, which no rule allows by itself";
  }
  if (looked.decision.verdict == Verdict::deny && decision_.verdict != Verdict::deny) {
    static_cast<Decision&>(decision_) = looked.decision;
  }
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
  wanted.what = fmt::format("{} {}", asked_.server, asked_.name);
  wanted.detail = describe_arguments(arguments(), asked_.schema);
  wanted.key =
      fmt::format("mcp {} {} {} {} {}", asked_.method, asked_.server, asked_.name, asked_.pin, pin_of(asked_.params));
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
    overdrawn_ = tools_.budgets.admit(decision_.quotas, asked_.params_bytes, std::chrono::steady_clock::now());
    if (overdrawn_) static_cast<Decision&>(decision_) = overdrawn_->denial;
  }
  record_decision();
}

void Call::record_decision() {
  audit::McpCall row;
  row.event_id = event_id_;
  row.trace_id = trace_id_;
  row.decision = decision_;
  row.method = asked_.method;
  row.server = asked_.server;
  const bool told = asked_.listed || (asked_.what == What::resource && name_is_clean_);
  row.tool = told ? log::printable(asked_.name, kMaxRowNameBytes) : std::string(kNotListed);
  row.arguments = describe_arguments(arguments(), asked_.schema);
  row.arguments_bytes = asked_.params_bytes;
  row.pin = asked_.pin;
  row.call_hash = link_.call_hash;
  row.asked_by = link_.asked_by;
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
  deadline_.start(call_time());
  Wanted wanted;
  wanted.method = asked_.method;
  wanted.params = asked_.params;
  if (asked_.what != What::completion) wanted.name = asked_.name;
  if (asked_.what == What::tool && !asked_.schema.is_null() && upstream->revision() == kModern) {
    wanted.parameters = parameter_values(asked_.schema, arguments());
  }
  wanted.capabilities = told_capabilities(*policy_, asked_.server, asked_.capabilities);
  wanted.log_level = asked_.log_level;
  wanted.progress = asked_.progress;
  wanted.trace = trace_id_;
  if (asked_.task_only) wanted.task = call_time();
  Upstream::Handlers handlers;
  handlers.answer = [this](Answer answer) {
    sent_.reset();
    came(std::move(answer));
  };
  if (callbacks_.said) handlers.said = [this](Said said) { came(std::move(said)); };
  if (callbacks_.asked) handlers.asked = [this](Question question) { came(std::move(question)); };
  sent_ = 0;  // it may be answered at once
  const auto number = upstream->call(std::move(wanted), std::move(handlers));
  if (sent_) sent_ = number;
}

}  // namespace gatehouse::mcp
