#include "proxy/telemetry/request_facts.h"

namespace gatehouse::proxy {

enum class RequestFacts::Field : int { none, model, turns, turn, limit, item, kind, id, name, failed, content };

namespace {
constexpr auto kLook = JsonListener::Wish::look;
constexpr auto kSkip = JsonListener::Wish::skip;
}  // namespace

std::span<const WantedField<RequestFacts::Field>> RequestFacts::table(ModelApi api) {
  using F = Field;
  static constexpr WantedField<F> kAnthropic[] = {
      {"model", F::model},
      {"max_tokens", F::limit, kSkip},
      {"messages", F::turns, kLook},
      {"messages[].content[]", F::item, kLook},
      {"messages[].content[].type", F::kind},
      {"messages[].content[].tool_use_id", F::id},
      {"messages[].content[].is_error", F::failed},
      {"messages[].content[].content", F::content},
  };
  static constexpr WantedField<F> kChat[] = {
      {"model", F::model},          {"messages", F::turns, kLook},      {"messages[]", F::item, kLook},
      {"messages[].role", F::kind}, {"messages[].tool_call_id", F::id}, {"messages[].content", F::content},
  };
  static constexpr WantedField<F> kResponses[] = {
      {"model", F::model},         {"input", F::turns, kLook},     {"previous_response_id", F::turns, kSkip},
      {"prompt", F::turns, kSkip}, {"input[]", F::item, kLook},    {"input[].type", F::kind},
      {"input[].call_id", F::id},  {"input[].output", F::content},
  };
  static constexpr WantedField<F> kGemini[] = {
      {"contents", F::turns, kLook},
      {"contents[]", F::turn, kLook},
      {"contents[].parts[].functionResponse", F::item, kLook},
      {"contents[].parts[].functionResponse.id", F::id},
      {"contents[].parts[].functionResponse.name", F::name},
      {"contents[].parts[].functionResponse.response", F::content},
      {"contents[].parts[].function_response", F::item, kLook},
      {"contents[].parts[].function_response.id", F::id},
      {"contents[].parts[].function_response.name", F::name},
      {"contents[].parts[].function_response.response", F::content},
  };
  switch (api) {
    case ModelApi::anthropic_messages:
      return kAnthropic;
    case ModelApi::openai_chat:
      return kChat;
    case ModelApi::openai_responses:
      return kResponses;
    case ModelApi::gemini:
      return kGemini;
  }
  return {};
}

RequestFacts::RequestFacts(ModelApi api, const std::string& host, const ContentHashKey& key, const ToolLedger& ledger)
    : api_(api), host_(host), key_(key), ledger_(ledger), table_(table(api)), json_(*this) {}

bool RequestFacts::finish() {
  if (!json_.finish() || !has_turns_) return false;
  switch (api_) {
    case ModelApi::anthropic_messages:
      return has_limit_;
    case ModelApi::openai_responses:
      return !model_.empty();
    case ModelApi::openai_chat:
    case ModelApi::gemini:
      return true;
  }
  return false;
}

RequestFacts::Interest RequestFacts::begin(std::string_view path, JsonKind kind) {
  const auto interest = look_up(table_, path, kind);
  switch (static_cast<Field>(interest.field)) {
    case Field::turns:
      has_turns_ = has_turns_ || kind == JsonKind::array || api_ == ModelApi::openai_responses;
      break;
    case Field::turn:
      // Where answers have no id the last turn's are new, and those before it were sent before.
      std::erase_if(answers_, [](const ToolAnswer& answer) { return answer.id.empty(); });
      break;
    case Field::limit:
      has_limit_ = true;
      break;
    case Field::item:
      begin_item();
      break;
    case Field::kind:
      item_kind_.clear();
      break;
    case Field::id:
      item_id_.clear();
      break;
    case Field::name:
      item_name_.clear();
      break;
    case Field::content:
      if ((!item_kind_.text().empty() && !kind_answers()) || is_old()) return {};
      content_.emplace(key_);
      break;
    default:
      text_.clear();
      break;
  }
  return interest;
}

void RequestFacts::bytes(int field, std::string_view piece) {
  switch (static_cast<Field>(field)) {
    case Field::kind:
      return item_kind_.add(piece);
    case Field::id:
      return item_id_.add(piece);
    case Field::name:
      return item_name_.add(piece);
    case Field::content:
      return content_->add(piece);
    default:
      return text_.add(piece);
  }
}

void RequestFacts::end(int field) {
  switch (static_cast<Field>(field)) {
    case Field::model:
      model_ = text_.text();
      return;
    case Field::failed:
      item_failed_ = text_.text() == "true";
      return;
    case Field::item:
      return end_item();
    default:
      return;
  }
}

void RequestFacts::begin_item() {
  item_kind_.clear();
  item_id_.clear();
  item_name_.clear();
  item_failed_ = false;
  content_.reset();
}

bool RequestFacts::kind_answers() const {
  const std::string& kind = item_kind_.text();
  switch (api_) {
    case ModelApi::anthropic_messages:
      return kind == "tool_result";
    case ModelApi::openai_chat:
      return kind == "tool";
    case ModelApi::openai_responses:
      return kind.ends_with("_call_output");
    case ModelApi::gemini:
      return true;
  }
  return false;
}

bool RequestFacts::is_old() const { return !item_id_.text().empty() && ledger_.is_answered(host_, item_id_.text()); }

void RequestFacts::end_item() {
  if (!kind_answers() || is_old()) return;
  if (item_id_.text().empty() && api_ != ModelApi::gemini) return;
  if (answers_.size() == kMaxToolsTold) {
    ++more_answers_;
    return;
  }
  ToolAnswer answer{item_id_.text(), item_name_.text(), item_failed_, 0, {}};
  if (content_) {
    answer.bytes = content_->size();
    answer.hash = content_->finish();
  }
  answers_.push_back(std::move(answer));
}

}  // namespace gatehouse::proxy
