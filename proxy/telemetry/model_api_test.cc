#include "proxy/telemetry/model_api.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

struct Case {
  const char* path;
  std::string_view api;  // empty: none
  const char* model = "";
  bool streamed = false;
};

constexpr Case kCases[] = {
    {"/v1/messages", "messages"},
    {"/v1/messages?beta=true", "messages"},
    {"/anthropic/v1/messages/", "messages"},
    {"/messages", ""},
    {"/v1/messages/count_tokens", ""},
    {"/v1/messages/batches", ""},
    {"/v1/threads/t1/messages", ""},
    {"/v1/chat/completions", "chat-completions"},
    {"/openai/deployments/x/chat/completions?api-version=1", "chat-completions"},
    {"/chat/completions", "chat-completions"},
    {"/v1/completions", ""},
    {"/v1/responses", "responses"},
    {"/v1/responses/resp_1/cancel", ""},
    {"/v1beta/models/gemini-2.5-flash:generateContent", "generate-content", "gemini-2.5-flash"},
    {"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "generate-content", "gemini-2.5-flash", true},
    {"/v1/projects/p/locations/l/publishers/google/models/m:generateContent", "generate-content", "m"},
    {"/v1beta/models/gemini-2.5-flash:countTokens", ""},
    {"/v1beta/models/:generateContent", ""},
    {"/v1beta/other/x:generateContent", ""},
    {"/", ""},
    {"", ""},
};

TEST(ModelApi, IsToldByTheEndOfThePath) {
  for (const auto& one : kCases) {
    const auto route = model_route("POST", one.path);
    EXPECT_EQ(route ? to_string(route->api) : "", one.api) << one.path;
    if (!route) continue;
    EXPECT_EQ(route->model, one.model) << one.path;
    EXPECT_EQ(route->streamed, one.streamed) << one.path;
  }
}

TEST(ModelApi, IsCalledByPostAlone) { EXPECT_FALSE(model_route("GET", "/v1/messages")); }

}  // namespace
}  // namespace gatehouse::proxy
