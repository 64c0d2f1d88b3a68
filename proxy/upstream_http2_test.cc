// An upstream's connection in HTTP/2, as a transcript of frames.
#include "proxy/upstream_http2.h"

#include "proxy/http2_frames.h"
#include "proxy/test_world.h"

namespace gatehouse::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Writes down what a leg tells, and lets go of it at its end, as an exchange does.
struct Listener final : ResponseListener {
  void on_interim(ResponseHead head) override { told.push_back(fmt::format("interim {}", head.status)); }
  void on_head(ResponseHead head) override {
    last = head;
    told.push_back(fmt::format("head {}", head.status));
  }
  void on_body(std::string_view bytes) override { told.push_back(fmt::format("body {}", bytes)); }
  void on_response_end(const Fields& trailers) override {
    told.push_back(trailers.empty() ? "end" : fmt::format("end {}={}", trailers[0].name, trailers[0].value));
    leg.reset();
  }
  void on_pause() override { ++pauses; }
  void on_lost(const UpstreamLoss& loss) override {
    told.push_back(fmt::format("lost {} {}", loss.rule, static_cast<int>(loss.retry)));
    leg.reset();
  }
  void on_upstream_drained() override { told.push_back("drained"); }

  std::unique_ptr<UpstreamLeg> leg;
  ResponseHead last;
  std::vector<std::string> told;
  int pauses = 0;
};

class Http2UpstreamTest : public testing::Test {
 protected:
  Http2UpstreamTest() {
    connection_ = Http2Upstream::create(std::make_unique<TestUpstream>(wire_, false));
    say(frame(NGHTTP2_SETTINGS, 0, 0) + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0));
  }
  void say(std::string_view bytes) {
    wire_.listener->on_upstream_bytes(bytes);
    hear();
  }
  void hear() {
    std::string_view sent = wire_.sent;
    if (sent.starts_with(kClientPreface)) sent.remove_prefix(kClientPreface.size());
    for (auto& next : reader_.read(sent)) frames_.push_back(std::move(next));
    wire_.sent.clear();
  }
  RequestHead head(const std::string& method = "GET", Framing framing = {}) {
    RequestHead request;
    request.method = method;
    request.scheme = Scheme::https;
    request.host = "api.test.example";
    request.port = 443;
    request.path = "/x";
    request.fields = {{"Accept", "*/*"}, {"Connection", "x-hop"}, {"X-Hop", "1"}};
    request.framing = framing;
    return request;
  }
  void ask(Listener& listener, const RequestHead& request) {
    listener.leg = connection_->open_leg();
    ASSERT_NE(listener.leg, nullptr);
    listener.leg->send_head(request, listener);
    if (!has_body(request)) listener.leg->send_end({});
    hear();
  }
  std::string response(uint32_t id, const Fields& more = {}, uint8_t flags = kEndHeaders) {
    Fields fields{{":status", "200"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return headers(id, fields, flags);
  }
  const Frame* find(uint8_t type, uint32_t stream) const {
    for (const auto& one : frames_) {
      if (one.type == type && one.stream == stream) return &one;
    }
    return nullptr;
  }

  Wire wire_;
  std::shared_ptr<Http2Upstream> connection_;
  FrameReader reader_;
  std::vector<Frame> frames_;
  Listener first_, second_;
};

TEST_F(Http2UpstreamTest, CarriesManyExchangesAtOnce) {
  ask(first_, head());
  ask(second_, head());
  ASSERT_NE(find(NGHTTP2_HEADERS, 3), nullptr);
  const auto& fields = find(NGHTTP2_HEADERS, 1)->fields;
  EXPECT_THAT(fields,
              ElementsAre(Field{":method", "GET"}, Field{":scheme", "https"}, Field{":authority", "api.test.example"},
                          Field{":path", "/x"}, Field{"accept", "*/*"}));
  say(response(3) + response(1, {{"content-length", "2"}}) + frame(NGHTTP2_DATA, kEndStream, 1, "hi") +
      frame(NGHTTP2_DATA, kEndStream, 3, "ho"));
  EXPECT_THAT(first_.told, ElementsAre("head 200", "body hi", "end"));
  EXPECT_THAT(second_.told, ElementsAre("head 200", "body ho", "end"));
  EXPECT_TRUE(connection_->idle());
  EXPECT_EQ(find(NGHTTP2_RST_STREAM, 1), nullptr);
}

TEST_F(Http2UpstreamTest, SendsABodyWithItsTrailersAndTellsThoseOfTheResponse) {
  auto request = head("POST", {Framing::Kind::chunked, 0});
  request.takes_trailers = true;
  ask(first_, request);
  EXPECT_THAT(find(NGHTTP2_HEADERS, 1)->fields, Contains(Field{"te", "trailers"}));
  first_.leg->send_body("abc");
  first_.leg->send_end({{"X-Sum", "1"}});
  hear();
  EXPECT_EQ(find(NGHTTP2_DATA, 1)->payload, "abc");
  EXPECT_THAT(frames_.back().fields, ElementsAre(Field{"x-sum", "1"}));
  EXPECT_TRUE(frames_.back().flags & kEndStream);
  say(response(1, {{"content-type", "application/grpc"}}) + frame(NGHTTP2_DATA, 0, 1, "hi") +
      headers(1, {{"grpc-status", "0"}}));
  EXPECT_THAT(first_.told, ElementsAre("head 200", "body hi", "end grpc-status=0"));
}

TEST_F(Http2UpstreamTest, TellsInterimResponsesAndThoseWithoutBody) {
  ask(first_, head("HEAD"));
  say(headers(1, {{":status", "103"}, {"link", "a"}}, kEndHeaders) +
      response(1, {{"content-length", "5"}}, kEndHeaders | kEndStream));
  EXPECT_THAT(first_.told, ElementsAre("interim 103", "head 200", "end"));
  EXPECT_EQ(first_.last.framing.kind, Framing::Kind::none);
  EXPECT_EQ(first_.last.content_length, 5U);
}

TEST_F(Http2UpstreamTest, RefusesResponsesThatBreakTheRules) {
  for (const Fields& fields : {Fields{{":status", "200"}, {"transfer-encoding", "chunked"}},
                               Fields{{":status", "200"}, {"x", "a\r\nb"}}, Fields{{":status", "101"}},
                               Fields{{":status", "2000"}}, Fields{{"x", "1"}}, Fields{{":status", "200"}, {"X", "1"}},
                               Fields{{":status", "200"}, {"content-length", "1"}, {"content-length", "2"}}}) {
    Listener listener;
    ask(listener, head());
    const uint32_t id = frames_.back().stream;
    say(headers(id, fields, kEndHeaders));
    EXPECT_THAT(listener.told, ElementsAre("lost upstream.malformed 0")) << fields.back().name;
    EXPECT_EQ(listener.leg, nullptr);
  }
  EXPECT_TRUE(connection_->usable());
}

TEST_F(Http2UpstreamTest, TellsALengthThatIsNotKept) {
  ask(first_, head());
  say(response(1, {{"content-length", "5"}}) + frame(NGHTTP2_DATA, kEndStream, 1, "hi"));
  EXPECT_EQ(first_.told.back(), "lost upstream.malformed 0");
}

TEST_F(Http2UpstreamTest, OpensTheWindowOnlyWhileItIsRead) {
  ask(first_, head());
  say(response(1));
  first_.leg->read(false);
  const std::string piece(16'384, 'x');
  for (int i = 0; i < 16; ++i) say(frame(NGHTTP2_DATA, 0, 1, piece));
  EXPECT_EQ(find(NGHTTP2_WINDOW_UPDATE, 1), nullptr);
  first_.leg->read(true);
  hear();
  EXPECT_NE(find(NGHTTP2_WINDOW_UPDATE, 1), nullptr);
}

TEST_F(Http2UpstreamTest, SendsNoMoreThanTheUpstreamTakes) {
  ask(first_, head("POST", {Framing::Kind::length, 100'000}));
  first_.leg->send_body(std::string(100'000, 'x'));
  first_.leg->send_end({});
  EXPECT_EQ(first_.leg->queued(), 100'000U - 65'535U);
  EXPECT_THAT(first_.told, IsEmpty());
  say(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, big_endian(100'000, 4)) +
      frame(NGHTTP2_WINDOW_UPDATE, 0, 1, big_endian(100'000, 4)));
  EXPECT_EQ(first_.leg->queued(), 0U);
  EXPECT_THAT(first_.told, ElementsAre("drained"));
}

TEST_F(Http2UpstreamTest, MayBeAskedAgainWhatWasNotLookedAt) {
  ask(first_, head("POST"));
  ask(second_, head("POST"));
  say(frame(NGHTTP2_RST_STREAM, 0, 1, big_endian(NGHTTP2_REFUSED_STREAM, 4)));
  EXPECT_THAT(first_.told, ElementsAre("lost upstream.closed 2"));
  say(frame(NGHTTP2_GOAWAY, 0, 0, big_endian(1, 4) + big_endian(NGHTTP2_NO_ERROR, 4)));
  EXPECT_THAT(second_.told, ElementsAre("lost upstream.closed 2"));
  EXPECT_FALSE(connection_->usable());
}

TEST_F(Http2UpstreamTest, MayNotBeAskedAgainWhatItHasBegunToAnswer) {
  ask(first_, head());
  ask(second_, head());
  say(response(3));
  wire_.listener->on_upstream_end(true);
  EXPECT_THAT(first_.told, ElementsAre("lost upstream.closed 0"));  // on a new connection
  EXPECT_THAT(second_.told, ElementsAre("head 200", "lost upstream.closed 0"));
  EXPECT_EQ(connection_->open_leg(), nullptr);
}

TEST_F(Http2UpstreamTest, CancelsWhatNobodyWaitsFor) {
  ask(first_, head());
  first_.leg.reset();
  hear();
  ASSERT_NE(find(NGHTTP2_RST_STREAM, 1), nullptr);
  say(response(1) + frame(NGHTTP2_DATA, kEndStream, 1, "late"));
  EXPECT_THAT(first_.told, IsEmpty());
  EXPECT_TRUE(connection_->usable());
}

TEST_F(Http2UpstreamTest, LosesAllStreamsByAViolation) {
  ask(first_, head());
  ask(second_, head());
  say(frame(NGHTTP2_DATA, 0, 0, "x"));
  EXPECT_THAT(first_.told, ElementsAre(HasSubstr("lost upstream.")));
  EXPECT_THAT(second_.told, ElementsAre(HasSubstr("lost upstream.")));
  EXPECT_FALSE(connection_->usable());
}

}  // namespace
}  // namespace gatehouse::proxy
