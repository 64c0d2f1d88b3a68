// Bytes of a model call: the first chooses API, form and content encodings, the second the piece size; then request and
// response, with a 0xff between. Cut anywhere the same rows come of it, bounded in number and size.
#include <algorithm>
#include <cstdlib>

#include "proxy/telemetry/model_call.h"

using namespace gatehouse;
using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kPaths[] = {"/v1/messages", "/v1/chat/completions", "/v1/responses",
                                       "/v1/models/m:streamGenerateContent"};
constexpr std::string_view kCodings[] = {"", "gzip", "deflate", "br", "zstd", "", "", ""};

std::string shown(const audit::Event& event) {
  const auto number = [](const std::optional<int64_t>& count) { return count ? std::to_string(*count) + "," : "-,"; };
  if (const auto* call = std::get_if<audit::ModelCall>(&event)) {
    require(call->model.size() <= 128 && call->stop_reason.size() <= 128 && call->detail.size() <= 512);
    return call->provider + call->model + call->stop_reason + call->detail + number(call->input_tokens) +
           number(call->output_tokens) + number(call->cached_tokens) + number(call->cache_write_tokens) +
           number(call->reasoning_tokens) + number(call->tool_calls) + number(call->tool_responses);
  }
  if (const auto* tool = std::get_if<audit::ToolCall>(&event)) {
    require(tool->call_id.size() <= 128 && tool->name.size() <= 128 && tool->kind.size() <= 128);
    return tool->call_id + tool->name + tool->kind + std::to_string(tool->arguments_bytes) + tool->call_hash +
           tool->arguments_hash;
  }
  const auto& answer = std::get<audit::ToolResponse>(event);
  require(answer.call_id.size() <= 128 && answer.name.size() <= 128);
  return answer.call_id + answer.name + std::to_string(answer.content_bytes) + (answer.failed ? "!" : "");
}

std::string read(uint8_t choice, std::string_view request, std::string_view response, size_t piece) {
  static const PriceTable kNoPrices;
  static const std::string kKey(mcp::kCallHashKeyBytes, 'k');
  auto telemetry = *Telemetry::create(kNoPrices, mcp::CallHash::with_key(kKey).value());
  const std::string_view coding = kCodings[choice >> 3 & 7];
  auto call = ModelCallReader::begin(*telemetry, {.method = "POST",
                                                  .path = kPaths[choice & 3],
                                                  .host = "h",
                                                  .content_encoding = choice & 64 ? coding : "",
                                                  .event_id = "e",
                                                  .trace_id = "t"});
  require(call != nullptr);
  for (size_t at = 0; at < request.size(); at += piece) call->request_body(request.substr(at, piece));
  const ModelCallReader::Moment now;
  call->request_end(now);
  call->response_head({200, choice & 4 ? "text/event-stream" : "application/json", coding}, now);
  for (size_t at = 0; at < response.size(); at += piece) call->response_body(response.substr(at, piece), now);
  const auto rows = call->end(true, now);
  require(rows.size() <= 1 + 2 * kMaxToolsTold);
  std::string all;
  for (const auto& row : rows) {
    std::string line = shown(row);
    // The key of the hashes is new each time.
    if (const auto* tool = std::get_if<audit::ToolCall>(&row)) line.resize(line.size() - tool->arguments_hash.size());
    all += line + "\n";
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t middle = std::min(bytes.find('\xff'), bytes.size());
  const auto request = bytes.substr(0, middle);
  const auto response = bytes.substr(std::min(middle + 1, bytes.size()));
  const std::string whole = read(data[0], request, response, bytes.size() + 1);
  const bool coded = (data[0] >> 3 & 7) >= 1 && (data[0] >> 3 & 7) <= 4;
  const std::string cut = read(data[0], request, response, 1 + data[1] % 64);
  // How far a decoder comes in corrupt data depends on the cut.
  if (!coded) require(whole == cut);
  return 0;
}
