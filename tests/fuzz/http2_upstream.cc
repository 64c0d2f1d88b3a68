// The first byte says how the rest is cut, and what is done with exchanges that are over; what follows is what an
// upstream sends in HTTP/2. However it is cut, each of the exchanges on the connection hears a proper response and one
// end, or one loss and nothing more, and all of them have come to an end when the connection has.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "proxy/test_world.h"
#include "proxy/upstream_http2.h"

using namespace gatehouse;
using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

class Told final : public ResponseListener {
 public:
  Told(std::string method, bool keeps) : method_(std::move(method)), keeps_(keeps) {}

  void begin(std::unique_ptr<UpstreamLeg> on) {
    leg = std::move(on);
    RequestHead head;
    head.method = method_;
    head.host = "api.test.example";
    head.port = 80;
    head.path = "/x";
    if (method_ == "POST") head.framing = {Framing::Kind::chunked, 0};
    leg->send_head(head, *this);
    if (leg && method_ == "POST") leg->send_body("some of it");
  }

  void on_interim(ResponseHead head) override {
    require(!over && !responding_ && head.status >= 100 && head.status < 200);
    heard += fmt::format("{} ", head.status);
  }
  void on_head(ResponseHead head) override {
    require(!over && !responding_ && head.status >= 200 && head.status < 600);
    responding_ = true;
    framing_ = head.framing;
    heard += fmt::format("{} ", head.status);
    for (const Field& field : head.fields) heard += field.name + ": " + field.value + "; ";
  }
  void on_body(std::string_view bytes) override {
    require(!over && responding_ && !bytes.empty() && framing_.kind != Framing::Kind::none);
    size_ += bytes.size();
    require(framing_.kind != Framing::Kind::length || size_ <= framing_.length);
    heard += bytes;
  }
  void on_response_end(const Fields& trailers) override {
    require(responding_ && (framing_.kind != Framing::Kind::length || size_ == framing_.length));
    for (const Field& field : trailers) heard += field.name + ": " + field.value + "; ";
    ended = true;
    end();
  }
  void on_pause() override { require(!over); }
  void on_lost(const UpstreamLoss& loss) override {
    require(!loss.reason.empty() && (loss.retry != UpstreamLoss::Retry::if_idempotent || !responding_));
    end();
  }
  void on_upstream_drained() override { require(!over); }

  std::unique_ptr<UpstreamLeg> leg;
  std::string heard;
  bool ended = false;  // well
  bool over = false;

 private:
  void end() {
    require(!over);
    over = true;
    if (!keeps_) leg.reset();
  }
  const std::string method_;
  const bool keeps_;
  bool responding_ = false;
  Framing framing_;
  uint64_t size_ = 0;
};

// What an exchange has heard, and whether that was all of a response.
struct Outcome {
  std::string heard;
  bool ended = false;
};
std::vector<Outcome> hear(std::string_view bytes, size_t piece, bool keeps) {
  Wire wire;
  std::vector<std::unique_ptr<Told>> all;
  {
    const auto upstream = Http2Upstream::create(std::make_unique<TestUpstream>(wire, false));
    const auto begin = [&](const char* method) {
      auto leg = upstream->open_leg();
      if (leg == nullptr) return;
      all.push_back(std::make_unique<Told>(method, keeps));
      all.back()->begin(std::move(leg));
    };
    for (const char* method : {"GET", "POST", "HEAD"}) begin(method);
    for (size_t at = 0; at < bytes.size(); at += piece) {
      wire.listener->on_upstream_bytes(bytes.substr(at, piece));
      require(wire.sent.size() < (1 << 20) + 64 * bytes.size());
    }
    if (all[1]->leg && !all[1]->over) all[1]->leg->send_end({});
    begin("GET");
    wire.listener->on_upstream_end(true);
    for (const auto& one : all) require(one->over);
    for (const auto& one : all) one->leg.reset();
    require(upstream->idle() && !upstream->usable());
  }
  require(!wire.open);
  std::vector<Outcome> heard;
  for (const auto& one : all) heard.push_back({one->heard, one->ended});
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool keeps = data[0] & 1;
  const auto whole = hear(bytes, bytes.size(), keeps);
  const auto cut = hear(bytes, 1 + (data[0] >> 1), keeps);
  // Of what is broken off, on its own stream or with the connection for another's breach, more or less may have been
  // told by then.
  for (size_t i = 0; i < 3; ++i) {
    require(whole[i].ended && cut[i].ended
                ? whole[i].heard == cut[i].heard
                : whole[i].heard.starts_with(cut[i].heard) || cut[i].heard.starts_with(whole[i].heard));
  }
  return 0;
}
