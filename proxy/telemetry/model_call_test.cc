#include "proxy/telemetry/model_call.h"

#include <gmock/gmock.h>

#include "common/codec/test_encoders.h"
#include "proxy/telemetry/test_dialogue.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kPrices = R"({"version": 1, "date": "2026-01-31", "models": [
  {"provider": "anthropic", "names": ["claude-t"], "input": 3, "output": 15, "cached": 0.3, "cache_write": 3.75,
   "long_cache_write": 6},
  {"provider": "openai", "names": ["gpt-t-2026"], "input": 2, "output": 8, "cached": 0.5},
  {"provider": "google", "names": ["gemini-t"], "input": 1, "output": 10, "cached": 0.1}]})";

std::string on_one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

const std::string kAnthropicRequest =
    R"({"model":"claude-t","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
const std::string kChatRequest = R"({"model":"gpt-t","messages":[{"role":"user","content":"hi"}]})";
const std::string kResponsesRequest = R"({"model":"gpt-t","input":"hi","stream":true})";
const std::string kGeminiRequest = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";

const std::string kAnthropicDocument =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-t","content":[{"type":"text","text":"ok"},
    {"type":"tool_use","id":"toolu_1","name":"shell","input":{"cmd":"ls"}}],"stop_reason":"tool_use","usage":
    {"input_tokens":100,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"cache_creation":
    {"ephemeral_5m_input_tokens":15,"ephemeral_1h_input_tokens":5},"output_tokens":50,"service_tier":"standard"}})";

const std::string kAnthropicStream =
    "event: message_start\n" +
    events({
        on_one_line(R"({"type":"message_start","message":{"id":"msg_1","type":"message","model":"claude-t","content":[],
           "stop_reason":null,"usage":{"input_tokens":100,"cache_creation_input_tokens":20,
           "cache_read_input_tokens":300,"cache_creation":{"ephemeral_1h_input_tokens":5},"output_tokens":1}}})"),
        R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
        R"({"type":"ping"})",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}})",
        R"({"type":"content_block_stop","index":0})",
        R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"shell","input":{}}})",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}})",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"cmd\":"}})",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"ls\"}"}})",
        R"({"type":"content_block_stop","index":1})",
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":50}})",
        R"({"type":"message_stop"})",
    });

const std::string kChatDocument =
    R"({"id":"c","object":"chat.completion","model":"gpt-t-2026","choices":[{"index":0,"message":{"role":"assistant",
    "content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"shell","arguments":"{\"cmd\":\"ls\"}"}}]},
    "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":420,"completion_tokens":50,"total_tokens":470,
    "prompt_tokens_details":{"cached_tokens":300,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30,
    "audio_tokens":0}},"service_tier":"default"})";

const std::string kChatStream = events({
    R"({"object":"chat.completion.chunk","model":"gpt-t-2026","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"usage":null})",
    R"({"model":"gpt-t-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"shell","arguments":""}}]},"finish_reason":null}]})",
    R"({"model":"gpt-t-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"cmd\":"}}]}}]})",
    R"({"model":"gpt-t-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":null,"function":{"name":"","arguments":"\"ls\"}"}}]}}]})",
    R"({"model":"gpt-t-2026","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})",
    R"({"model":"gpt-t-2026","choices":[],"usage":{"prompt_tokens":420,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":300},"completion_tokens_details":{"reasoning_tokens":30}}})",
    "[DONE]",
});

const std::string kResponsesObject =
    R"({"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"gpt-t-2026",
    "output":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","id":"fc_1","call_id":"call_1",
    "name":"shell","arguments":"{\"cmd\":\"ls\"}","status":"completed"}],"service_tier":"default","usage":
    {"input_tokens":420,"input_tokens_details":{"cached_tokens":300},"output_tokens":50,"output_tokens_details":
    {"reasoning_tokens":30},"total_tokens":470}})";

const std::string kResponsesStream = events({
    R"({"type":"response.created","response":{"object":"response","status":"in_progress","model":"gpt-t-2026","output":[]}})",
    R"({"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"call_1","name":"shell","arguments":""}})",
    R"({"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"cmd\":\"ls\"}"})",
    R"({"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"call_1","name":"shell","arguments":"{\"cmd\":\"ls\"}"}})",
    R"({"type":"response.completed","response":)" + on_one_line(kResponsesObject) + "}",
});

const std::string kGeminiChunks[] = {
    R"({"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]}}],"usageMetadata":{"promptTokenCount":400,
    "cachedContentTokenCount":300},"modelVersion":"gemini-t"})",
    R"({"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"shell","args":{"cmd":"ls"}}}]},
    "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":400,"candidatesTokenCount":20,"thoughtsTokenCount":30,
    "toolUsePromptTokenCount":20,"cachedContentTokenCount":300,"totalTokenCount":470,"promptTokensDetails":
    [{"modality":"TEXT","tokenCount":400}]},"modelVersion":"gemini-t"})"};
const std::string kGeminiList = "[" + kGeminiChunks[0] + "\n,\r\n" + kGeminiChunks[1] + "\n]\n";
const std::string kGeminiStream = events({on_one_line(kGeminiChunks[0]), on_one_line(kGeminiChunks[1])});

struct Case {
  const char* name;
  Dialogue dialogue;
  const char* provider;
  const char* model;
  bool streamed;
  const char* stop;
  int64_t cost;
};

const std::string kEvents = "text/event-stream; charset=utf-8";
const Case kCases[] = {
    {"anthropic",
     {"/v1/messages", kAnthropicRequest, kAnthropicDocument},
     "anthropic",
     "claude-t",
     false,
     "tool_use",
     100 * 3 + 90 + 56 + 30 + 750},
    {"anthropic, streamed",
     {"/v1/messages", kAnthropicRequest, kAnthropicStream, kEvents},
     "anthropic",
     "claude-t",
     true,
     "tool_use",
     100 * 3 + 90 + 56 + 30 + 750},
    {"chat",
     {"/v1/chat/completions", kChatRequest, kChatDocument},
     "openai",
     "gpt-t-2026",
     false,
     "tool_calls",
     120 * 2 + 150 + 400},
    {"chat, streamed",
     {"/v1/chat/completions", kChatRequest, kChatStream, kEvents},
     "openai",
     "gpt-t-2026",
     true,
     "tool_calls",
     120 * 2 + 150 + 400},
    {"responses",
     {"/v1/responses", kResponsesRequest, kResponsesObject},
     "openai",
     "gpt-t-2026",
     false,
     "completed",
     120 * 2 + 150 + 400},
    {"responses, streamed",
     {"/v1/responses", kResponsesRequest, kResponsesStream, kEvents},
     "openai",
     "gpt-t-2026",
     true,
     "completed",
     120 * 2 + 150 + 400},
    {"gemini",
     {"/v1beta/models/gemini-t:generateContent", kGeminiRequest, kGeminiChunks[1]},
     "google",
     "gemini-t",
     false,
     "STOP",
     120 + 30 + 500},
    {"gemini, streamed as a list",
     {"/v1beta/models/gemini-t:streamGenerateContent", kGeminiRequest, kGeminiList},
     "google",
     "gemini-t",
     true,
     "STOP",
     120 + 30 + 500},
    {"gemini, streamed as events",
     {"/v1beta/models/gemini-t:streamGenerateContent?alt=sse", kGeminiRequest, kGeminiStream, kEvents},
     "google",
     "gemini-t",
     true,
     "STOP",
     120 + 30 + 500},
};

class ModelCallTest : public testing::Test {
 protected:
  Told read(const Dialogue& dialogue, size_t piece = SIZE_MAX) { return read_dialogue(*telemetry_, dialogue, piece); }
  audit::ModelCall call(const Dialogue& dialogue) {
    const auto told = read(dialogue);
    EXPECT_THAT(told.calls, SizeIs(1));
    return told.calls.empty() ? audit::ModelCall() : told.calls[0];
  }
  void expect(const Case& one, const Told& told, const std::string& how) {
    ASSERT_THAT(told.calls, SizeIs(1)) << one.name << how;
    const auto& row = told.calls[0];
    EXPECT_EQ(row.provider, one.provider) << one.name << how;
    EXPECT_EQ(row.model, one.model) << one.name << how;
    EXPECT_EQ(row.streamed, one.streamed) << one.name << how;
    EXPECT_EQ(row.input_tokens, 420) << one.name << how;
    EXPECT_EQ(row.output_tokens, 50) << one.name << how;
    EXPECT_EQ(row.cached_tokens, 300) << one.name << how;
    EXPECT_EQ(row.stop_reason, one.stop) << one.name << how;
    EXPECT_EQ(row.cost_microdollars, one.cost) << one.name << how;
    EXPECT_EQ(row.priced_on, "2026-01-31") << one.name << how;
    EXPECT_EQ(row.detail, "") << one.name << how;
    EXPECT_EQ(row.first_token_us.has_value(), one.streamed) << one.name << how;
    EXPECT_EQ(row.tool_calls, 1) << one.name << how;
    ASSERT_THAT(told.tools, SizeIs(1)) << one.name << how;
    EXPECT_EQ(told.tools[0].name, "shell") << one.name << how;
    EXPECT_EQ(told.tools[0].kind, "function") << one.name << how;
    EXPECT_EQ(told.tools[0].arguments_bytes, 12U) << one.name << how;
    EXPECT_EQ(told.tools[0].arguments_hash, arguments_hash_) << one.name << how;
    EXPECT_EQ(told.tools[0].call_hash, call_hash("shell", R"({"cmd":"ls"})")) << one.name << how;
    EXPECT_EQ(told.tools[0].call_id.empty(), one.provider == std::string("google")) << one.name << how;
  }

  static std::unique_ptr<mcp::CallHash> keyed() {
    return mcp::CallHash::with_key(std::string(mcp::kCallHashKeyBytes, 'k')).value();
  }
  static std::string call_hash(std::string_view tool, std::string_view arguments) {
    return keyed()->of(tool, json::read(arguments).value());
  }

  std::unique_ptr<Telemetry> telemetry_ = *Telemetry::create(*PriceTable::parse(kPrices), keyed());
  std::string arguments_hash_ = [this] {
    ContentHash hash(telemetry_->hash_key());
    hash.add(R"({"cmd":"ls"})");
    return hash.finish();
  }();
};

TEST_F(ModelCallTest, ReadsEveryProviderHoweverTheBytesAreCut) {
  for (const auto& one : kCases) {
    for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{2}, size_t{3}, size_t{17}, size_t{256}}) {
      expect(one, read(one.dialogue, piece), " in pieces of " + std::to_string(piece));
    }
  }
}

TEST_F(ModelCallTest, ReadsThemThroughEveryContentEncoding) {
  const struct {
    const char* name;
    std::string (*encode)(std::string_view);
  } codings[] = {{"gzip", [](std::string_view text) { return gzipped(text); }},
                 {"deflate", [](std::string_view text) { return zlibbed(text); }},
                 {"br", [](std::string_view text) { return brotlied(text); }},
                 {"zstd", [](std::string_view text) { return zstded(text); }}};
  for (const auto& one : kCases) {
    for (const auto& coding : codings) {
      auto dialogue = one.dialogue;
      dialogue.request = coding.encode(dialogue.request);
      dialogue.request_coding = coding.name;
      dialogue.response = coding.encode(dialogue.response);
      dialogue.response_coding = coding.name;
      expect(one, read(dialogue, 5), coding.name);
    }
  }
}

TEST_F(ModelCallTest, HashesTheCallThatTheAgentWillMakeWhateverItsTextIs) {
  const auto asked = [](const std::string& kind, const std::string& input) {
    return Dialogue{
        "/v1/messages", kAnthropicRequest,
        R"({"content":[{"type":")" + kind + R"(","id":"i","name":"mcp__gw__s__t","input":)" + input + "}]}"};
  };
  const auto hash = [&](const Dialogue& dialogue) { return read(dialogue).tools.at(0).call_hash; };
  EXPECT_EQ(hash(asked("tool_use", R"({ "b" : 1.0, "a" : "\u0041" })")), call_hash("s__t", R"({"a":"A","b":1})"));
  EXPECT_EQ(hash(asked("tool_use", "{}")), call_hash("s__t", "{}"));
  const Dialogue silent{
      "/v1/messages", kAnthropicRequest,
      events(
          {R"({"type":"message_start","message":{}})",
           R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"i","name":"s__t"}})"}),
      kEvents};
  EXPECT_EQ(hash(silent), call_hash("s__t", "{}")) << "no arguments come as no text";
  EXPECT_EQ(hash(asked("server_tool_use", "{}")), "") << "the provider runs it itself";
  EXPECT_EQ(hash(asked("tool_use", R"("text")")), "");
  EXPECT_EQ(hash(asked("tool_use", R"({"a":1,"a":2})")), "");
  const std::string large = R"({"a":")" + std::string(kMaxArgumentsKept, 'x') + "\"}";
  EXPECT_EQ(hash(asked("tool_use", large)), "");
  telemetry_ = *Telemetry::create(*PriceTable::parse(kPrices));
  EXPECT_EQ(hash(asked("tool_use", "{}")), "") << "without the session's key";
}

TEST_F(ModelCallTest, TakesTheTimeOfTheFirstTokenNotOfTheFirstByte) {
  const std::string start =
      kAnthropicStream.substr(0, kAnthropicStream.find("data: {\"type\":\"content_block_delta\""));
  auto reader = ModelCallReader::begin(*telemetry_, {.method = "POST",
                                                     .path = "/v1/messages",
                                                     .host = "h",
                                                     .content_encoding = "",
                                                     .event_id = "e",
                                                     .trace_id = "t"});
  const auto at = [](int microseconds) { return ModelCallReader::Moment(std::chrono::microseconds(microseconds)); };
  reader->request_body(kAnthropicRequest);
  reader->request_end(at(100));
  reader->response_head({200, kEvents, ""}, at(150));
  reader->response_body(events({R"({"type":"message_start","message":{"model":"claude-t"}})", R"({"type":"ping"})"}),
                        at(200));
  reader->response_body(
      events({R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})"}), at(700));
  reader->response_body(
      events({R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}})"}), at(900));
  const auto rows = reader->end(true, at(1300));
  ASSERT_THAT(rows, SizeIs(1));
  const auto& row = std::get<audit::ModelCall>(rows[0]);
  EXPECT_EQ(row.first_token_us, 600);
  EXPECT_EQ(row.latency_us, 1200);
}

TEST_F(ModelCallTest, LinksAnswersToTheCallsOfAnEarlierExchange) {
  struct Turn {
    const char* name;
    Dialogue asked;
    std::string path;
    std::string request;
    bool failed;
  };
  const Turn turns[] = {
      {"anthropic", kCases[0].dialogue, "/v1/messages",
       R"({"model":"claude-t","max_tokens":1,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":
       [{"type":"tool_use","id":"toolu_1","name":"shell","input":{}}]},{"role":"user","content":[{"type":"tool_result",
       "tool_use_id":"toolu_1","is_error":true,"content":"no such file"}]}]})",
       true},
      {"chat", kCases[3].dialogue, "/v1/chat/completions",
       R"({"messages":[{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"call_1","content":"no such file"}]})",
       false},
      {"responses", kCases[5].dialogue, "/v1/responses",
       R"({"model":"m","input":[{"type":"function_call_output","call_id":"call_1","output":"no such file"}]})", false},
      {"gemini", kCases[7].dialogue, "/v1beta/models/m:generateContent",
       R"({"contents":[{"parts":[{"functionResponse":{"name":"shell","response":"no such file"}}]}]})", false},
  };
  for (const auto& turn : turns) {
    for (const size_t piece : {SIZE_MAX, size_t{1}}) {
      const std::string suffix = std::to_string(piece);
      auto asked = turn.asked;
      asked.trace_id = "first" + suffix;
      read(asked);
      Dialogue answer{turn.path, turn.request, "{}"};
      answer.trace_id = "second" + suffix;
      const auto told = read(answer, piece);
      ASSERT_THAT(told.answers, SizeIs(1)) << turn.name;
      EXPECT_EQ(told.answers[0].name, "shell") << turn.name;
      EXPECT_EQ(told.answers[0].call_trace_id, "first" + suffix) << turn.name;
      EXPECT_EQ(told.answers[0].trace_id, "second" + suffix) << turn.name;
      EXPECT_EQ(told.answers[0].failed, turn.failed) << turn.name;
      EXPECT_EQ(told.answers[0].content_bytes, 12U) << turn.name;
      EXPECT_THAT(told.answers[0].content_hash, SizeIs(16)) << turn.name;
      EXPECT_EQ(told.calls.at(0).tool_responses, 1) << turn.name;
    }
  }
}

TEST_F(ModelCallTest, TellsAnAnswerThatIsSentAgainOnce) {
  const Dialogue chat{"/v1/chat/completions",
                      R"({"messages":[{"role":"tool","tool_call_id":"call_1","content":"x"},
                      {"role":"tool","tool_call_id":"call_2","content":"y"}]})",
                      "{}"};
  EXPECT_THAT(read(chat).answers, SizeIs(2));
  EXPECT_THAT(read(chat).answers, IsEmpty());
  const Dialogue gemini{"/v1beta/models/m:generateContent",
                        R"({"contents":[{"parts":[{"functionResponse":{"name":"old","response":{}}}]},
                        {"parts":[{"text":"x"}]},{"parts":[{"functionResponse":{"name":"a","response":{}}},
                        {"functionResponse":{"name":"b","response":{}}}]}]})",
                        "{}"};
  EXPECT_THAT(read(gemini).answers, SizeIs(2));
}

TEST_F(ModelCallTest, SaysOfAnAnswerToNoCallThatThereWasNone) {
  const auto told =
      read({"/v1/chat/completions", R"({"messages":[{"role":"tool","tool_call_id":"forged","content":"x"}]})", "{}"});
  ASSERT_THAT(told.answers, SizeIs(1));
  EXPECT_EQ(told.answers[0].call_id, "forged");
  EXPECT_EQ(told.answers[0].call_trace_id, "");
  EXPECT_EQ(told.answers[0].name, "");
}

TEST_F(ModelCallTest, CountsARequestOfAnotherShapeAndWritesNothing) {
  const struct {
    const char* path;
    const char* body;
  } others[] = {{"/v1/messages", R"({"text":"hello"})"},
                {"/v1/messages", R"({"messages":[]})"},
                {"/v1/chat/completions", R"({"messages":"hello"})"},
                {"/survey/responses", R"({"model":"car","answers":[]})"},
                {"/survey/responses", R"({"input":"no model"})"},
                {"/v1beta/models/m:generateContent", R"({"contents":{}})"},
                {"/v1/chat/completions", R"({"messages":[)"},
                {"/v1/chat/completions", "a=b"},
                {"/v1/chat/completions", ""}};
  uint64_t count = 0;
  for (const auto& other : others) {
    EXPECT_THAT(read({other.path, other.body, kChatDocument}).calls, IsEmpty()) << other.path << other.body;
    EXPECT_EQ(telemetry_->counts().unknown_requests, ++count);
  }
  EXPECT_EQ(telemetry_->counts().calls, 0U);
}

TEST_F(ModelCallTest, CountsAResponseOfAnotherShapeAndGuessesNothing) {
  const Dialogue others[] = {
      {"/v1/chat/completions", kChatRequest, R"({"answer":"hello"})"},
      {"/v1/chat/completions", kChatRequest, "hello", "text/plain"},
      {"/v1/chat/completions", kChatRequest, "", "application/json"},
      {"/v1/chat/completions", kChatRequest, "data: hello\n\n", kEvents},
      {"/v1/messages", kAnthropicRequest, R"({"message":"Forbidden"})"},
  };
  uint64_t count = 0;
  for (const auto& other : others) {
    const auto row = call(other);
    EXPECT_THAT(row.detail, HasSubstr("no known shape")) << other.response;
    EXPECT_FALSE(row.input_tokens || row.output_tokens || row.cost_microdollars) << other.response;
    EXPECT_EQ(telemetry_->counts().unknown_responses, ++count);
  }
}

TEST_F(ModelCallTest, TellsErrorsInTheProvidersWord) {
  const struct {
    Dialogue dialogue;
    const char* detail;
  } cases[] = {
      {{"/v1/messages", kAnthropicRequest, R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})"},
       "error: overloaded_error"},
      {{"/v1/messages", kAnthropicRequest, events({R"({"type":"error","error":{"type":"overloaded_error"}})"}),
        kEvents},
       "error: overloaded_error"},
      {{"/v1/chat/completions", kChatRequest, R"({"error":{"message":"m","type":"insufficient_quota","code":null}})"},
       "error: insufficient_quota"},
      {{"/v1beta/models/m:generateContent", kGeminiRequest, R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}})"},
       "error: RESOURCE_EXHAUSTED"},
  };
  for (const auto& one : cases) EXPECT_EQ(call(one.dialogue).detail, one.detail);
  EXPECT_EQ(telemetry_->counts().unknown_responses, 0U);
}

TEST_F(ModelCallTest, KeepsWhatItHasOfAStreamThatIsCutShort) {
  Dialogue dialogue = kCases[1].dialogue;
  dialogue.response = kAnthropicStream.substr(0, kAnthropicStream.find("\\\"ls"));
  dialogue.whole = false;
  const auto told = read(dialogue, 3);
  ASSERT_THAT(told.calls, SizeIs(1));
  EXPECT_EQ(told.calls[0].input_tokens, 420);
  EXPECT_EQ(told.calls[0].stop_reason, "");
  EXPECT_EQ(told.calls[0].detail, "not all of the response could be read; cut short");
  ASSERT_THAT(told.tools, SizeIs(1));
  EXPECT_EQ(told.tools[0].call_id, "toolu_1");
}

TEST_F(ModelCallTest, HasNoCostForAnUnknownModelOrAnotherTier) {
  auto replaced = [](std::string text, std::string_view from, std::string_view to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
  };
  const Dialogue known = kCases[2].dialogue;
  for (const auto& [from, to] :
       {std::pair{"gpt-t-2026", "gpt-x"}, std::pair{R"("service_tier":"default")", R"("service_tier":"flex")"},
        std::pair{R"("audio_tokens":0)", R"("audio_tokens":1)"}}) {
    Dialogue other = known;
    other.response = replaced(known.response, from, to);
    const auto row = call(other);
    EXPECT_FALSE(row.cost_microdollars) << to;
    EXPECT_EQ(row.priced_on, "") << to;
    EXPECT_EQ(row.input_tokens, 420) << to;
  }
}

TEST_F(ModelCallTest, HoldsNothingOfTheArguments) {
  for (const auto& one : kCases) {
    const auto told = read(one.dialogue);
    for (const auto& tool : told.tools) {
      EXPECT_EQ(tool.arguments_hash.find("ls"), std::string::npos);
      EXPECT_THAT(tool.arguments_hash, SizeIs(16));
    }
  }
}

TEST_F(ModelCallTest, ReadsOnWithoutTheDecodersThereIsNoRoomFor) {
  std::vector<std::unique_ptr<ModelCallReader>> others;
  for (int i = 0; i < kMaxBodiesDecoded; ++i) {
    others.push_back(ModelCallReader::begin(*telemetry_, {.method = "POST",
                                                          .path = "/v1/messages",
                                                          .host = "h",
                                                          .content_encoding = "gzip",
                                                          .event_id = "e",
                                                          .trace_id = "t"}));
  }
  Dialogue coded = kCases[0].dialogue;
  coded.response = gzipped(coded.response);
  coded.response_coding = "gzip";
  EXPECT_THAT(call(coded).detail, HasSubstr("no known shape"));
  others.clear();
  EXPECT_EQ(call(coded).detail, "");
}

TEST_F(ModelCallTest, SumsUpWhatItHasSeen) {
  EXPECT_EQ(telemetry_->summary(), "");
  read(kCases[0].dialogue);
  read({"/survey/responses", "{}", "{}"});
  EXPECT_EQ(telemetry_->summary(), "1 model calls read; of unknown shape: 1 requests to such paths, 0 responses");
}

}  // namespace
}  // namespace gatehouse::proxy
