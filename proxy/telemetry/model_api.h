// Which requests are calls of a language model, and in whose wire format. Nothing here looks at the host: gateways and
// compatible servers count too.
//
//   POST, and the path (without query) ends in            then it may be              and it is, when the body is JSON
//   with /messages           after a segment v1, v2, ...       Anthropic Messages          "messages", a list, and
//   "max_tokens" /chat/completions                                     OpenAI chat completions     "messages", a list
//   /responses                                            OpenAI responses            "model", and "input" or "prompt"
//   or
//                                                                                     "previous_response_id"
//   /models/NAME:generateContent                          Gemini                      "contents", a list
//   /models/NAME:streamGenerateContent                    Gemini, streamed            "contents", a list
//
// What has such a path and another body is counted and left at that.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::proxy {

enum class ModelApi { anthropic_messages, openai_chat, openai_responses, gemini };

std::string_view provider_of(ModelApi api);  // "anthropic", "openai", "google"
std::string_view to_string(ModelApi api);    // "messages", "chat-completions", "responses", "generate-content"

struct ModelRoute {
  ModelApi api = ModelApi::anthropic_messages;
  std::string model;      // where the path names it
  bool streamed = false;  // where the path says so
};

// `path` in origin form, with or without query.
std::optional<ModelRoute> model_route(std::string_view method, std::string_view path);

}  // namespace gatehouse::proxy
