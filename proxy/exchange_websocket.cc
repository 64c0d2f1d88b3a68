// A WebSocket's way from the upstream's 101 on.
#include "proxy/exchange.h"
#include "proxy/websocket_opening.h"

namespace gatehouse::proxy {

namespace {
constexpr int kBadGateway = 502;
constexpr int kSwitchingProtocols = 101;
}  // namespace

void Exchange::open_websocket(const ResponseHead& head) {
  auto opened = answer_websocket(head_, head);
  if (!opened.refusal.empty()) return fail(kBadGateway, "upstream.websocket", opened.refusal);
  see_head(opened.to_guest);
  request_.reset();
  responding_ = true;
  head_sent_ = true;
  record_.result().status = kSwitchingProtocols;
  guest_.send_head(opened.to_guest);
  guest_.flush();
  relay_ = std::make_unique<WebSocketRelay>(
      guest_, *upstream_, record_,
      WebSocketRelay::Setting{
          .from_guest = gate_setting(dlp::Direction::out, {.deflate = head_.websocket->deflate, .takeover = false}),
          .from_upstream = gate_setting(dlp::Direction::in, opened.upstream),
          .idle_time = policy_.limits().websocket_idle_time,
          .on_over = [this](std::string_view error) { close_websocket(error); }});
  guest_.want_request(true);
}

MessageGate::Setting Exchange::gate_setting(dlp::Direction direction, const DeflateAgreement& deflate) const {
  MessageGate::Setting setting;
  setting.direction = direction;
  setting.deflate = deflate;
  setting.max_message = request_limit().bytes;
  if (direction == dlp::Direction::in) setting.max_message = std::min(setting.max_message, terms_.response_body.bytes);
  setting.inspection = outside_.inspection();
  setting.stream = scan_stream(direction);
  if (direction == dlp::Direction::in && restorer_) setting.restorer = [this] { return credentials_.restorer(); };
  return setting;
}

void Exchange::close_websocket(std::string_view error) {
  phase_ = Phase::over;
  finish(error);
  upstream_.reset();
  guest_.send_end({});
  guest_.flush();
  guest_.over();
}

}  // namespace gatehouse::proxy
