// Reads requests from an untrusted client, byte by byte if need be. llhttp parses the head; everything RFC 9112 forbids
// and llhttp 8.1 lets through is refused before it. Bodies are handed on as they come and never kept.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "proxy/authority.h"
#include "proxy/body_reader.h"
#include "proxy/head_buffer.h"
#include "proxy/http_message.h"
#include "proxy/read_event.h"

namespace gatehouse::proxy {

// Usage: call feed() with what is left of the input until it says need_more, or until the caller wants to pause (a
// verdict is pending, the other side is full): no event is lost by not calling. After `complete`, next_message()
// starts the next one; until then pipelined bytes are not looked at.
class RequestReader {
 public:
  // `scheme` is https on the inside of an intercepted TLS connection, http otherwise.
  explicit RequestReader(Scheme scheme) : scheme_(scheme) {}

  // One step. Input may be empty (the end of a message without body takes no bytes). A refusal is final: each
  // further call repeats it, and the connection must be closed once it is answered.
  tl::expected<ReadEvent, Refusal> feed(std::string_view input);

  // The client has closed its sending side: fine between messages, otherwise "http.cut-short".
  tl::expected<void, Refusal> finish() const;

  // True when not a byte of a message has been consumed since construction or next_message().
  bool idle() const;

  // Only after `complete`.
  void next_message();

  const RequestHead& head() const { return head_; }
  const Fields& trailers() const { return body_.trailers(); }

 private:
  enum class State { head, body, complete, refused };
  tl::expected<ReadEvent, Refusal> refuse(Refusal refusal);
  tl::expected<ReadEvent, Refusal> read_head(std::string_view input);

  Scheme scheme_;
  State state_ = State::head;
  HeadBuffer buffer_{HeadBuffer::Start::request};
  RequestHead head_;
  BodyReader body_;
  Refusal refusal_;
};

}  // namespace gatehouse::proxy
