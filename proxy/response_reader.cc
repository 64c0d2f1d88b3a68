#include "proxy/response_reader.h"

#include <algorithm>
#include <cassert>

#include "proxy/head_fields.h"

namespace gatehouse::proxy {

namespace {

using Checked = tl::expected<void, Refusal>;

tl::unexpected<Refusal> refused(std::string_view id, std::string reason) {
  return tl::unexpected(Refusal{id, 502, std::move(reason)});
}

// RFC 9112 section 4: HTTP-version SP status-code SP [reason-phrase]. The last space is often left out when there is no
// phrase; that much is tolerated, since the line is written anew.
Checked parse_status_line(std::string_view line, ResponseHead& head) {
  constexpr size_t kVersionBytes = 8;
  constexpr size_t kStatusEnd = 12;
  const std::string_view version = line.substr(0, kVersionBytes);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return refused("http.version", "upstream does not answer in HTTP/1.1 or HTTP/1.0");
  }
  head.minor_version = version.back() - '0';
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (line.size() < kStatusEnd || line[kVersionBytes] != ' ' ||
      !std::all_of(line.begin() + kVersionBytes + 1, line.begin() + kStatusEnd, digit) ||
      (line.size() > kStatusEnd && line[kStatusEnd] != ' ')) {
    return refused("http.status-line", "the status line has no three-digit status");
  }
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (head.status < 100 || head.status > 599) return refused("http.status-line", "the status is not in 100 to 599");
  head.reason = line.substr(std::min(line.size(), kStatusEnd + 1));
  return {};
}

// RFC 9112 section 6.3, the cases in its order.
Checked decide_framing(std::string_view method, ResponseHead& head) {
  const auto declared = declared_framing(head.fields, head.minor_version);
  if (!declared) return tl::unexpected(declared.error());
  head.content_length = declared->content_length;
  head.keep_alive = wants_keep_alive(head.fields, head.minor_version);

  const bool tunnel = head.status == 101 || (method == "CONNECT" && head.status / 100 == 2);
  const bool bodiless =
      head.status / 100 == 1 || head.status == 204 || head.status == 304 || method == "HEAD" || tunnel;
  if (tunnel) head.keep_alive = false;
  if (bodiless) {
    // A body declared where none can be: what comes next may be that body or the next response.
    const bool lying = head.status / 100 == 1 || head.status == 204;
    if (lying && (declared->chunked || declared->content_length.value_or(0) > 0)) head.keep_alive = false;
    return {};
  }
  if (declared->chunked) {
    head.framing = {Framing::Kind::chunked, 0};
  } else if (declared->content_length) {
    head.framing = {Framing::Kind::length, *declared->content_length};
  } else {
    head.framing = {Framing::Kind::until_close, 0};
    head.keep_alive = false;
  }
  return {};
}

Checked parse_response_fields(const HeadBuffer& buffer, std::string_view method, ResponseHead& head) {
  head.fields = split_fields(buffer.bytes().substr(buffer.start_line().size() + 2));
  if (auto ok = decide_framing(method, head); !ok) return ok;
  return confirm_response(buffer.bytes(), head);
}

}  // namespace

tl::expected<ReadEvent, Refusal> ResponseReader::refuse(Refusal refusal) {
  state_ = State::refused;
  refusal_ = std::move(refusal);
  refusal_.status = 502;
  return tl::unexpected(refusal_);
}

tl::expected<ReadEvent, Refusal> ResponseReader::feed(std::string_view input) {
  switch (state_) {
    case State::refused:
      return tl::unexpected(refusal_);
    case State::complete:
      return ReadEvent{ReadEvent::Kind::complete, 0, {}};
    case State::head:
      return read_head(input);
    case State::body:
      break;
  }
  const auto event = body_.feed(input);
  if (!event) return refuse(event.error());
  if (event->kind == ReadEvent::Kind::complete) state_ = State::complete;
  return event;
}

tl::expected<ReadEvent, Refusal> ResponseReader::read_head(std::string_view input) {
  if (buffer_.complete()) buffer_.clear();  // of the interim response before
  size_t consumed = 0;
  while (consumed < input.size() && !buffer_.complete()) {
    const bool had_start_line = buffer_.has_start_line();
    const auto taken = buffer_.feed(input.substr(consumed));
    if (!taken) return refuse(taken.error());
    consumed += *taken;
    if (had_start_line || !buffer_.has_start_line()) continue;
    head_ = ResponseHead();
    if (auto ok = parse_status_line(buffer_.start_line(), head_); !ok) return refuse(ok.error());
  }
  if (!buffer_.complete()) return ReadEvent{ReadEvent::Kind::need_more, consumed, {}};
  if (auto ok = parse_response_fields(buffer_, method_, head_); !ok) return refuse(ok.error());
  if (head_.status / 100 == 1 && head_.status != 101) {
    if (!head_.keep_alive) return refuse({"http.interim-body", 502, "an interim response announces a body or a close"});
    if (++interim_ > kMaxInterimResponses) {
      return refuse({"http.too-many-interim", 502, "upstream sends interim responses without end"});
    }
    return ReadEvent{ReadEvent::Kind::interim, consumed, {}};
  }
  if (upgrade_ && head_.status == 101) head_.framing.kind = Framing::Kind::until_close;
  body_.start(head_.framing);
  state_ = State::body;
  return ReadEvent{ReadEvent::Kind::head, consumed, {}};
}

tl::expected<ReadEvent, Refusal> ResponseReader::finish() {
  if (state_ == State::refused) return tl::unexpected(refusal_);
  const bool ended_by_close = state_ == State::body && body_.framing().kind == Framing::Kind::until_close;
  const bool nothing_left =
      state_ == State::body &&
      body_.feed({}).map([](const auto& event) { return event.kind == ReadEvent::Kind::complete; }).value_or(false);
  if (state_ != State::complete && !ended_by_close && !nothing_left) {
    return refuse({"http.cut-short", 502, "upstream closed the connection within a response"});
  }
  state_ = State::complete;
  return ReadEvent{ReadEvent::Kind::complete, 0, {}};
}

bool ResponseReader::idle() const { return state_ == State::head && buffer_.empty() && interim_ == 0; }

void ResponseReader::next_message(std::string_view method) {
  assert(state_ == State::complete);
  *this = ResponseReader(method);
}

}  // namespace gatehouse::proxy
