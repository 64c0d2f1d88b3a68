// A guest's connection that calls a language model: what is read of it on the way, and that nothing waits for it.
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kQuestion = R"({"model":"gpt-t","stream":true,"messages":[]})";
const std::string kAsk =
    fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: {}\r\n\r\n{}",
                kQuestion.size(), kQuestion);
const std::string kStart = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kToken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const std::string kLast =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,"
    "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

std::string chunk(const std::string& bytes) {
  std::string out;
  append_chunk(out, bytes);
  return out;
}

class ModelSessionTest : public SessionTest {
 protected:
  ModelSessionTest() {
    world_->models = *Telemetry::create(PriceTable());
    dial();
  }
};

TEST_F(ModelSessionTest, WritesARowOfTheCallOnceTheAnswerIsOut) {
  forward(kAsk);
  EXPECT_THAT(wire_.sent, EndsWith(kQuestion));
  wire_.listener->on_upstream_bytes(kStart + chunk(kToken));
  EXPECT_THAT(world_->to_guest, EndsWith(chunk(kToken)));
  EXPECT_THAT(world_->order, ElementsAre("net"));
  wire_.listener->on_upstream_bytes(chunk(kLast) + "0\r\n\r\n");
  EXPECT_THAT(world_->to_guest, EndsWith(chunk(kLast) + "0\r\n\r\n"));
  EXPECT_THAT(world_->order, ElementsAre("net", "result", "model"));
  const auto& row = world_->model_calls.at(0);
  EXPECT_EQ(row.event_id, world_->rows[0].event_id);
  EXPECT_EQ(row.trace_id, world_->rows[0].trace_id);
  EXPECT_EQ(row.host, "api.test.example");
  EXPECT_EQ(row.model, "gpt-t");
  EXPECT_EQ(row.status, 200);
  EXPECT_EQ(row.input_tokens, 7);
  EXPECT_EQ(row.output_tokens, 2);
  EXPECT_EQ(row.stop_reason, "stop");
  EXPECT_TRUE(row.first_token_us);
  EXPECT_EQ(row.detail, "");
}

TEST_F(ModelSessionTest, SaysWhenTheAnswerWasCutShort) {
  forward(kAsk);
  wire_.listener->on_upstream_bytes(kStart + chunk(kToken));
  wire_.listener->on_upstream_end(true);
  EXPECT_THAT(world_->order, ElementsAre("net", "result", "model"));
  EXPECT_EQ(world_->model_calls.at(0).detail, "cut short");
  EXPECT_FALSE(world_->model_calls[0].input_tokens);
}

TEST_F(ModelSessionTest, WritesNoneOfAnythingElse) {
  forward(kGet);
  wire_.listener->on_upstream_bytes(kResponse);
  EXPECT_THAT(world_->order, ElementsAre("net", "result"));
}

TEST_F(ModelSessionTest, WritesNoneOfWhatIsDenied) {
  session_->on_bytes("POST /no HTTP/1.1\r\nHost: api.test.example\r\nContent-Length: 0\r\n\r\n");
  world_->answer_commit();
  EXPECT_THAT(world_->to_guest, HasSubstr("403"));
  EXPECT_THAT(world_->model_calls, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::proxy
