#include "proxy/telemetry/model_api.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxModelBytes = 128;

// "v1", "v1beta".
bool is_version(std::string_view segment) {
  return segment.size() >= 2 && segment[0] == 'v' && segment[1] >= '0' && segment[1] <= '9';
}

// Takes the last segment off.
std::string_view take_segment(std::string_view& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  const auto segment = path.substr(slash + 1);
  path = path.substr(0, slash);
  return segment;
}

}  // namespace

std::string_view provider_of(ModelApi api) {
  switch (api) {
    case ModelApi::anthropic_messages:
      return "anthropic";
    case ModelApi::openai_chat:
    case ModelApi::openai_responses:
      return "openai";
    case ModelApi::gemini:
      return "google";
  }
  return {};
}

std::string_view to_string(ModelApi api) {
  switch (api) {
    case ModelApi::anthropic_messages:
      return "messages";
    case ModelApi::openai_chat:
      return "chat-completions";
    case ModelApi::openai_responses:
      return "responses";
    case ModelApi::gemini:
      return "generate-content";
  }
  return {};
}

std::optional<ModelRoute> model_route(std::string_view method, std::string_view path) {
  if (method != "POST") return std::nullopt;
  path = path.substr(0, path.find_first_of("?#"));
  if (path.ends_with('/')) path.remove_suffix(1);
  const auto last = take_segment(path);
  const auto before = take_segment(path);
  if (last == "messages" && is_version(before)) return ModelRoute{ModelApi::anthropic_messages, {}, false};
  if (last == "completions" && before == "chat") return ModelRoute{ModelApi::openai_chat, {}, false};
  if (last == "responses") return ModelRoute{ModelApi::openai_responses, {}, false};
  const size_t colon = last.rfind(':');
  if (before != "models" || colon == 0 || colon == std::string_view::npos) return std::nullopt;
  const auto verb = last.substr(colon + 1);
  const bool streamed = verb == "streamGenerateContent";
  if (!streamed && verb != "generateContent") return std::nullopt;
  return ModelRoute{ModelApi::gemini, std::string(last.substr(0, std::min(colon, kMaxModelBytes))), streamed};
}

}  // namespace gatehouse::proxy
