#include "proxy/request_reader.h"

#include <cassert>

#include "proxy/request_head.h"

namespace gatehouse::proxy {

tl::expected<ReadEvent, Refusal> RequestReader::refuse(Refusal refusal) {
  state_ = State::refused;
  refusal_ = std::move(refusal);
  return tl::unexpected(refusal_);
}

tl::expected<ReadEvent, Refusal> RequestReader::feed(std::string_view input) {
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

tl::expected<ReadEvent, Refusal> RequestReader::read_head(std::string_view input) {
  size_t consumed = 0;
  while (consumed < input.size() && !buffer_.complete()) {
    const bool had_start_line = buffer_.has_start_line();
    const auto taken = buffer_.feed(input.substr(consumed));
    if (!taken) return refuse(taken.error());
    consumed += *taken;
    if (had_start_line || !buffer_.has_start_line()) continue;
    head_.scheme = scheme_;
    if (auto ok = parse_request_line(buffer_.start_line(), head_); !ok) return refuse(ok.error());
  }
  if (!buffer_.complete()) return ReadEvent{ReadEvent::Kind::need_more, consumed, {}};
  if (auto ok = parse_request_fields(buffer_, head_); !ok) return refuse(ok.error());
  body_.start(head_.framing);
  state_ = State::body;
  return ReadEvent{ReadEvent::Kind::head, consumed, {}};
}

tl::expected<void, Refusal> RequestReader::finish() const {
  if (state_ == State::refused) return tl::unexpected(refusal_);
  if (state_ == State::complete || idle()) return {};
  return tl::unexpected(Refusal{"http.cut-short", 400, "the client closed the connection within a request"});
}

bool RequestReader::idle() const { return state_ == State::head && buffer_.empty(); }

void RequestReader::next_message() {
  assert(state_ == State::complete);
  buffer_.clear();
  head_ = RequestHead();
  body_.start({});
  state_ = State::head;
}

}  // namespace gatehouse::proxy
