// Reads responses from an upstream, which may be as hostile as the guest (and in league with it). As strict as
// RequestReader; every refusal has status 502.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/request_reader.h"

namespace gatehouse::proxy {

inline constexpr int kMaxInterimResponses = 16;  // 1xx before one final response

class ResponseReader {
 public:
  // `method` is the request's: it decides whether a body follows (RFC 9112 section 6.3).
  // `upgrade`: it asks for another protocol, and what follows a 101 comes as its body.
  explicit ResponseReader(std::string_view method, bool upgrade = false) : method_(method), upgrade_(upgrade) {}

  // As RequestReader::feed(). 1xx other than 101 come as `interim`; 101, and 2xx to CONNECT, come as `head` followed by
  // `complete`, and what follows on the connection is no longer HTTP. A body framed until_close completes by finish().
  tl::expected<ReadEvent, Refusal> feed(std::string_view input);

  // Upstream has closed. `complete` if the body was framed until_close, or the message was complete already; otherwise
  // "http.cut-short".
  tl::expected<ReadEvent, Refusal> finish();

  // True when not a byte of a response has been consumed: a reused connection that ends so may be dialled anew.
  bool idle() const;

  // Only after `complete`, and only with head().keep_alive.
  void next_message(std::string_view method);

  const ResponseHead& head() const { return head_; }
  // The head itself, once; head() is not to be asked any more.
  ResponseHead take_head() { return std::move(head_); }
  const Fields& trailers() const { return body_.trailers(); }

 private:
  enum class State { head, body, complete, refused };
  tl::expected<ReadEvent, Refusal> refuse(Refusal refusal);
  tl::expected<ReadEvent, Refusal> read_head(std::string_view input);

  std::string method_;
  bool upgrade_ = false;
  State state_ = State::head;
  HeadBuffer buffer_{HeadBuffer::Start::response};
  ResponseHead head_;
  BodyReader body_;
  int interim_ = 0;
  Refusal refusal_;
};

}  // namespace gatehouse::proxy
