#include "proxy/telemetry/response_facts.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/telemetry/request_facts.h"

namespace gatehouse::proxy {

enum class ResponseFacts::Field : int {
  none,
  shape,  // what only such a response has
  type,   // of the event
  model,
  stop,
  error,
  output,  // something the model says
  tier,
  modality,
  audio_tokens,
  input_tokens,
  output_tokens,
  cached_tokens,
  cache_write_tokens,
  long_cache_write_tokens,
  reasoning_tokens,
  tool_use_tokens,
  list,    // of tools that come in pieces
  choice,  // begins
  choice_index,
  index,  // of the tool that pieces belong to
  part,   // of a tool
  item,   // a tool, whole
  id,
  name,
  kind,
  arguments,
};

namespace {

constexpr auto kLook = JsonListener::Wish::look;
constexpr int64_t kMaxCount = 1'000'000'000'000;
constexpr int64_t kPlacesOfChoice = 1 << 20;
constexpr size_t kEventStartBytes = 8;
constexpr std::string_view kDone = "[DONE]";

std::optional<int64_t> number_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > kMaxCount) return std::nullopt;
  return number;
}

}  // namespace

std::span<const WantedField<ResponseFacts::Field>> ResponseFacts::table(ModelApi api) {
  using F = Field;
  static constexpr WantedField<F> kAnthropic[] = {
      {"type", F::type},
      {"error.type", F::error},
      // One document.
      {"content", F::shape, kLook},
      {"model", F::model},
      {"stop_reason", F::stop},
      {"usage.input_tokens", F::input_tokens},
      {"usage.output_tokens", F::output_tokens},
      {"usage.cache_read_input_tokens", F::cached_tokens},
      {"usage.cache_creation_input_tokens", F::cache_write_tokens},
      {"usage.cache_creation.ephemeral_1h_input_tokens", F::long_cache_write_tokens},
      {"usage.service_tier", F::tier},
      {"content[]", F::item, kLook},
      {"content[].type", F::kind},
      {"content[].id", F::id},
      {"content[].name", F::name},
      {"content[].input", F::arguments},
      // Events.
      {"message", F::shape, kLook},
      {"message.model", F::model},
      {"message.usage.input_tokens", F::input_tokens},
      {"message.usage.output_tokens", F::output_tokens},
      {"message.usage.cache_read_input_tokens", F::cached_tokens},
      {"message.usage.cache_creation_input_tokens", F::cache_write_tokens},
      {"message.usage.cache_creation.ephemeral_1h_input_tokens", F::long_cache_write_tokens},
      {"message.usage.service_tier", F::tier},
      {"index", F::index},
      {"content_block", F::part, kLook},
      {"content_block.type", F::kind},
      {"content_block.id", F::id},
      {"content_block.name", F::name},
      {"delta.partial_json", F::arguments},
      {"delta.text", F::output},
      {"delta.thinking", F::output},
      {"delta.stop_reason", F::stop},
  };
  static constexpr WantedField<F> kChat[] = {
      {"model", F::model},
      {"service_tier", F::tier},
      {"error.type", F::error},
      {"error.code", F::error},
      {"usage.prompt_tokens", F::input_tokens},
      {"usage.completion_tokens", F::output_tokens},
      {"usage.prompt_tokens_details.cached_tokens", F::cached_tokens},
      {"usage.prompt_tokens_details.audio_tokens", F::audio_tokens},
      {"usage.completion_tokens_details.reasoning_tokens", F::reasoning_tokens},
      {"usage.completion_tokens_details.audio_tokens", F::audio_tokens},
      {"choices", F::shape, kLook},
      {"choices[]", F::choice, kLook},
      {"choices[].index", F::choice_index},
      {"choices[].finish_reason", F::stop},
      {"choices[].message.tool_calls[]", F::item, kLook},
      {"choices[].message.tool_calls[].id", F::id},
      {"choices[].message.tool_calls[].type", F::kind},
      {"choices[].message.tool_calls[].function.name", F::name},
      {"choices[].message.tool_calls[].function.arguments", F::arguments},
      {"choices[].message.tool_calls[].custom.name", F::name},
      {"choices[].message.tool_calls[].custom.input", F::arguments},
      {"choices[].delta.content", F::output},
      {"choices[].delta.reasoning_content", F::output},
      {"choices[].delta.reasoning", F::output},
      {"choices[].delta.refusal", F::output},
      {"choices[].delta.tool_calls", F::list, kLook},
      {"choices[].delta.tool_calls[]", F::part, kLook},
      {"choices[].delta.tool_calls[].index", F::index},
      {"choices[].delta.tool_calls[].id", F::id},
      {"choices[].delta.tool_calls[].type", F::kind},
      {"choices[].delta.tool_calls[].function.name", F::name},
      {"choices[].delta.tool_calls[].function.arguments", F::arguments},
      {"choices[].delta.tool_calls[].custom.name", F::name},
      {"choices[].delta.tool_calls[].custom.input", F::arguments},
  };
  // Members of "response", where events have them, as in a document of their own.
  static constexpr WantedField<F> kResponses[] = {
      {"type", F::type},
      {"response", F::shape, kLook},
      {"output", F::shape, kLook},
      {"model", F::model},
      {"status", F::stop},
      {"incomplete_details.reason", F::stop},
      {"service_tier", F::tier},
      {"error.type", F::error},
      {"error.code", F::error},
      {"code", F::error},
      {"usage.input_tokens", F::input_tokens},
      {"usage.output_tokens", F::output_tokens},
      {"usage.input_tokens_details.cached_tokens", F::cached_tokens},
      {"usage.output_tokens_details.reasoning_tokens", F::reasoning_tokens},
      {"output[]", F::item, kLook},
      {"output[].type", F::kind},
      {"output[].call_id", F::id},
      {"output[].name", F::name},
      {"output[].arguments", F::arguments},
      {"output[].input", F::arguments},
      {"output[].action", F::arguments},
      {"item", F::item, kLook},
      {"item.type", F::kind},
      {"item.call_id", F::id},
      {"item.name", F::name},
      {"item.arguments", F::arguments},
      {"item.input", F::arguments},
      {"item.action", F::arguments},
      {"delta", F::output},
  };
  // Members of a list's elements, where it is one, as in a document of their own.
  static constexpr WantedField<F> kGemini[] = {
      {"candidates", F::shape, kLook},
      {"usageMetadata", F::shape, kLook},
      {"modelVersion", F::model},
      {"error.status", F::error},
      {"promptFeedback", F::shape, kLook},
      {"promptFeedback.blockReason", F::stop},
      {"candidates[].finishReason", F::stop},
      {"candidates[].content.parts[].text", F::output},
      {"candidates[].content.parts[].functionCall", F::item, kLook},
      {"candidates[].content.parts[].functionCall.id", F::id},
      {"candidates[].content.parts[].functionCall.name", F::name},
      {"candidates[].content.parts[].functionCall.args", F::arguments},
      {"usageMetadata.promptTokenCount", F::input_tokens},
      {"usageMetadata.candidatesTokenCount", F::output_tokens},
      {"usageMetadata.cachedContentTokenCount", F::cached_tokens},
      {"usageMetadata.thoughtsTokenCount", F::reasoning_tokens},
      {"usageMetadata.toolUsePromptTokenCount", F::tool_use_tokens},
      {"usageMetadata.promptTokensDetails[].modality", F::modality},
      {"usageMetadata.candidatesTokensDetails[].modality", F::modality},
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

ResponseFacts::ResponseFacts(ModelApi api, Form form, const ContentHashKey& key, bool keep_arguments)
    : api_(api),
      form_(form),
      key_(key),
      keep_arguments_(keep_arguments),
      table_(table(api)),
      json_(*this),
      events_(*this) {}

void ResponseFacts::feed(std::string_view bytes) {
  if (form_ == Form::events) return events_.feed(bytes);
  if (!json_.feed(bytes)) broken_ = true;
}

void ResponseFacts::finish() {
  if (form_ == Form::events) return events_.finish();
  if (!json_.finish()) broken_ = true;
  end_document();
}

void ResponseFacts::on_data(std::string_view piece) {
  if (event_start_.size() < kEventStartBytes) event_start_ += piece.substr(0, kEventStartBytes - event_start_.size());
  json_.feed(piece);
}

void ResponseFacts::on_event_end() {
  // The end mark of OpenAI's streams is no JSON; nor is an event without data of any use.
  if (!json_.finish() && event_start_ != kDone && !json_.empty()) broken_ = true;
  end_document();
  json_.reset();
  event_start_.clear();
}

void ResponseFacts::end_document() {
  // What a Responses event adds is told again when it is done.
  const bool announced = api_ == ModelApi::openai_responses && event_type_ == "response.output_item.added";
  for (auto& item : items_) {
    if (announced) break;
    bool again = false;
    for (const auto& [place, tool] : tools_) {
      again = again || (!item.id.text().empty() && tool.id.text() == item.id.text());
    }
    if (again) {
      room_ += item.kept.text.size();
      continue;
    }
    ++tool_count_;
    if (tools_.size() < kMaxToolsTold) tools_.emplace(static_cast<int64_t>(tools_.size()), std::move(item));
  }
  items_.clear();
  event_type_.clear();
  place_.reset();
  choice_ = 0;
}

ResponseFacts::Interest ResponseFacts::begin(std::string_view path, JsonKind kind) {
  if (api_ == ModelApi::gemini && path.starts_with("[]")) path.remove_prefix(path.size() > 2 ? 3 : 2);
  if (api_ == ModelApi::openai_responses && path.starts_with("response.")) path.remove_prefix(9);
  const auto interest = look_up(table_, path, kind);
  if (kind == JsonKind::literal) return {};  // null: not told
  fresh_ = true;
  switch (static_cast<Field>(interest.field)) {
    case Field::shape:
      recognised_ = recognised_ || kind == JsonKind::object || kind == JsonKind::array;
      break;
    case Field::choice:
      choice_ = 0;
      break;
    case Field::list:
      position_ = 0;
      break;
    case Field::part:
      output_begun_ = true;
      if (api_ == ModelApi::openai_chat) place_ = choice_ * kPlacesOfChoice + position_++;
      break;
    case Field::item:
      item_.emplace();
      break;
    case Field::id:
    case Field::name:
    case Field::kind:
      break;
    case Field::arguments:
      output_begun_ = true;
      if (Tool* under_way = tool(); under_way != nullptr && !under_way->arguments) under_way->arguments.emplace(key_);
      break;
    default:
      text_.clear();
      break;
  }
  return interest;
}

// The tool that what is read now belongs to; null when there are too many, or nothing says which.
ResponseFacts::Tool* ResponseFacts::tool() {
  if (item_) return &*item_;
  if (!place_) return nullptr;
  const auto found = tools_.find(*place_);
  if (found != tools_.end()) return &found->second;
  if (tools_.size() == kMaxToolsTold) return nullptr;
  return &tools_[*place_];
}

void ResponseFacts::bytes(int field, std::string_view piece) {
  // Some servers repeat in each piece of a tool what it is, others send it empty.
  const auto add = [&](ShortText Tool::*text) {
    Tool* under_way = tool();
    if (under_way == nullptr) return;
    if (std::exchange(fresh_, false)) (under_way->*text).clear();
    (under_way->*text).add(piece);
  };
  switch (static_cast<Field>(field)) {
    case Field::id:
      return add(&Tool::id);
    case Field::name:
      return add(&Tool::name);
    case Field::kind:
      return add(&Tool::kind);
    case Field::arguments:
      if (Tool* under_way = tool()) {
        under_way->arguments->add(piece);
        keep(*under_way, piece);
      }
      return;
    case Field::output:
      output_begun_ = true;
      return;
    default:
      return text_.add(piece);
  }
}

void ResponseFacts::end(int field) {
  const auto known = static_cast<Field>(field);
  const std::string& text = text_.text();
  switch (known) {
    case Field::type:
      event_type_ = text;
      return;
    case Field::model:
      model_ = text;
      return;
    case Field::stop:
      if (text != "in_progress" && text != "queued" && text != "FINISH_REASON_UNSPECIFIED") stop_reason_ = text;
      return;
    case Field::error:
      if (error_.empty()) error_ = text;
      return;
    case Field::tier:
      fine_print_ = fine_print_ || (text != "standard" && text != "default" && text != "auto");
      return;
    case Field::modality:
      fine_print_ = fine_print_ || (text != "TEXT" && text != "IMAGE" && text != "VIDEO" && text != "DOCUMENT");
      return;
    case Field::item:
      return end_item();
    case Field::choice_index:
      choice_ = number_of(text).value_or(0);
      return;
    case Field::index:
      // Of Anthropic's events: for what comes in this event.
      if (const auto index = number_of(text)) place_ = choice_ * kPlacesOfChoice + *index;
      return;
    default:
      return take_number(known);
  }
}

void ResponseFacts::take_number(Field field) {
  const auto number = number_of(text_.text());
  if (!number) return;
  switch (field) {
    case Field::input_tokens:
      raw_.input = number;
      return;
    case Field::output_tokens:
      raw_.output = number;
      return;
    case Field::cached_tokens:
      raw_.cached = number;
      return;
    case Field::cache_write_tokens:
      raw_.cache_write = number;
      return;
    case Field::long_cache_write_tokens:
      raw_.long_cache_write = number;
      return;
    case Field::reasoning_tokens:
      raw_.reasoning = number;
      return;
    case Field::tool_use_tokens:
      tool_use_input_ = number;
      return;
    case Field::audio_tokens:
      fine_print_ = fine_print_ || *number > 0;
      return;
    default:
      return;
  }
}

bool ResponseFacts::is_tool(const Tool& tool) const {
  switch (api_) {
    case ModelApi::anthropic_messages:
      return tool.kind.text().ends_with("tool_use");
    case ModelApi::openai_responses:
      return tool.kind.text().ends_with("_call") && !tool.id.text().empty();
    case ModelApi::openai_chat:
    case ModelApi::gemini:
      return !tool.name.text().empty() || !tool.id.text().empty();
  }
  return false;
}

void ResponseFacts::end_item() {
  if (is_tool(*item_) && items_.size() < kMaxToolsTold) items_.push_back(std::move(*item_));
  item_.reset();
}

TokenCounts ResponseFacts::tokens() const {
  TokenCounts counts = raw_;
  counts.fine_print = fine_print_;
  switch (api_) {
    case ModelApi::anthropic_messages:
      // Counts what was read from and written to the cache apart from the input.
      if (counts.input) *counts.input += raw_.cached.value_or(0) + raw_.cache_write.value_or(0);
      break;
    case ModelApi::gemini:
      // Counts thoughts apart from the output, and what its own tools read apart from the input.
      if (counts.input) *counts.input += tool_use_input_.value_or(0);
      if (counts.output || counts.reasoning) counts.output = raw_.output.value_or(0) + raw_.reasoning.value_or(0);
      break;
    case ModelApi::openai_chat:
    case ModelApi::openai_responses:
      break;
  }
  return counts;
}

void ResponseFacts::keep(Tool& tool, std::string_view piece) {
  KeptText& kept = tool.kept;
  if (!keep_arguments_ || !kept.fits) return;
  if (piece.size() <= room_) {
    room_ -= piece.size();
    kept.text.append(piece);
    return;
  }
  room_ += kept.text.size();
  kept = {{}, false};
}

std::vector<ToolRequest> ResponseFacts::take_tools() {
  std::vector<ToolRequest> told;
  for (auto& [place, tool] : tools_) {
    if (!is_tool(tool)) continue;
    ToolRequest request{tool.id.text(), tool.name.text(), tool.kind.text(), 0, {}, std::nullopt};
    if (keep_arguments_ && tool.kept.fits) request.arguments = std::move(tool.kept.text);
    if (tool.arguments) {
      request.bytes = tool.arguments->size();
      request.hash = tool.arguments->finish();
    }
    told.push_back(std::move(request));
  }
  tool_count_ = std::max(tool_count_, told.size());
  tools_.clear();
  return told;
}

}  // namespace gatehouse::proxy
