#include "proxy/telemetry/model_call.h"

namespace gatehouse::proxy {

namespace {

int64_t microseconds(ModelCallReader::Moment from, ModelCallReader::Moment to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return lowered;
}

}  // namespace

std::unique_ptr<ModelCallReader> ModelCallReader::begin(Telemetry& telemetry, const Request& request) {
  auto route = model_route(request.method, request.path);
  if (!route) return nullptr;
  return std::unique_ptr<ModelCallReader>(new ModelCallReader(telemetry, request, std::move(*route)));
}

ModelCallReader::ModelCallReader(Telemetry& telemetry, const Request& request, ModelRoute route)
    : telemetry_(telemetry),
      route_(std::move(route)),
      host_(request.host),
      request_(route_.api, host_, telemetry.hash_key(), telemetry.tools()) {
  row_.event_id = request.event_id;
  row_.trace_id = request.trace_id;
  row_.provider = provider_of(route_.api);
  row_.api = to_string(route_.api);
  row_.host = host_;
  row_.model = route_.model;
  request_body_ = open_body(request.content_encoding, [this](std::string_view bytes) { request_.feed(bytes); });
}

ModelCallReader::~ModelCallReader() {
  for (; decoders_ > 0; --decoders_) telemetry_.return_decoder();
}

std::unique_ptr<PlainBody> ModelCallReader::open_body(std::string_view coding, PlainBody::OnBytes on_bytes) {
  auto body = std::make_unique<PlainBody>(coding, std::move(on_bytes));
  if (!body->coded()) return body;
  if (!telemetry_.take_decoder()) return nullptr;
  ++decoders_;
  return body;
}

void ModelCallReader::request_body(std::string_view bytes) {
  if (request_body_) request_body_->feed(bytes);
}

void ModelCallReader::request_end(Moment now) {
  sent_ = now;
  known_ = request_body_ != nullptr && request_.finish();
  request_body_.reset();
  if (!*known_) {
    ++telemetry_.counts().unknown_requests;
    return;
  }
  if (!request_.model().empty()) row_.model = request_.model();
}

void ModelCallReader::response_head(const Response& response, Moment now) {
  row_.status = response.status;
  if (!known_) request_end(now);  // answered before all of the request was there
  if (!*known_) return;
  const std::string type = lower(response.content_type);
  const bool events = type.find("text/event-stream") != std::string::npos;
  if (!events && !type.empty() && type.find("json") == std::string::npos) return;
  row_.streamed = events || route_.streamed;
  response_.emplace(route_.api, events ? ResponseFacts::Form::events : ResponseFacts::Form::document,
                    telemetry_.hash_key(), telemetry_.call_hash() != nullptr);
  response_body_ = open_body(response.content_encoding, [this](std::string_view bytes) { response_->feed(bytes); });
}

void ModelCallReader::response_body(std::string_view bytes, Moment now) {
  if (!response_body_) return;
  response_body_->feed(bytes);
  if (row_.streamed && !first_token_ && response_->output_begun()) first_token_ = now;
}

std::vector<audit::Event> ModelCallReader::end(bool whole, Moment now) {
  if (!known_.value_or(false)) return {};
  ++telemetry_.counts().calls;
  row_.latency_us = microseconds(*sent_, now);
  if (first_token_) row_.first_token_us = microseconds(*sent_, *first_token_);
  if (response_) {
    response_->finish();
    count_tokens();
  }
  const bool recognised = response_ && response_->recognised();
  if (row_.status != 0 && !recognised) {
    ++telemetry_.counts().unknown_responses;
    remark("the response is of no known shape");
  } else if (recognised && (response_->broken() || !response_body_ || !response_body_->readable())) {
    remark("not all of the response could be read");
  }
  if (!whole) remark("cut short");
  std::vector<audit::Event> rows;
  tell_answers(rows);
  tell_tools(rows);
  rows.insert(rows.begin(), row_);
  return rows;
}

void ModelCallReader::count_tokens() {
  if (!response_->model().empty()) row_.model = response_->model();
  row_.stop_reason = response_->stop_reason();
  if (!response_->error().empty()) remark("error: " + response_->error());
  const TokenCounts tokens = response_->tokens();
  row_.input_tokens = tokens.input;
  row_.output_tokens = tokens.output;
  row_.cached_tokens = tokens.cached;
  row_.cache_write_tokens = tokens.cache_write;
  row_.reasoning_tokens = tokens.reasoning;
  row_.cost_microdollars = telemetry_.prices().cost(row_.provider, row_.model, tokens);
  if (row_.cost_microdollars) row_.priced_on = telemetry_.prices().date();
}

void ModelCallReader::tell_answers(std::vector<audit::Event>& rows) {
  for (const auto& answer : request_.answers()) {
    const auto call = telemetry_.tools().answered(host_, answer.id, answer.name);
    audit::ToolResponse row;
    row.trace_id = row_.trace_id;
    row.call_id = answer.id;
    row.name = call ? call->name : answer.name;
    row.call_trace_id = call ? call->trace_id : "";
    row.failed = answer.failed;
    row.content_bytes = answer.bytes;
    row.content_hash = answer.hash;
    rows.emplace_back(std::move(row));
  }
  row_.tool_responses = static_cast<int64_t>(request_.answers().size() + request_.more_answers());
}

// Of a tool without arguments some models say nothing at all. What the gateway would not read either has none.
std::string ModelCallReader::call_hash(const std::string& tool, const std::string& arguments) const {
  const auto value = json::read(arguments.empty() ? "{}" : arguments);
  return value && value->is_object() ? telemetry_.call_hash()->of(tool, *value) : "";
}

void ModelCallReader::tell_tools(std::vector<audit::Event>& rows) {
  if (!response_) return;
  for (auto& tool : response_->take_tools()) {
    telemetry_.tools().called(host_, tool.id, {tool.name, row_.trace_id});
    audit::ToolCall row;
    row.trace_id = row_.trace_id;
    row.call_id = std::move(tool.id);
    row.name = std::move(tool.name);
    const bool plain =
        tool.kind.empty() || tool.kind == "function" || tool.kind == "tool_use" || tool.kind == "function_call";
    row.kind = plain ? "function" : tool.kind;
    row.arguments_bytes = tool.bytes;
    row.arguments_hash = std::move(tool.hash);
    if (plain && tool.arguments) row.call_hash = call_hash(row.name, *tool.arguments);
    rows.emplace_back(std::move(row));
  }
  row_.tool_calls = static_cast<int64_t>(response_->tool_count());
}

void ModelCallReader::remark(std::string_view words) {
  if (!row_.detail.empty()) row_.detail += "; ";
  row_.detail += words;
}

}  // namespace gatehouse::proxy
