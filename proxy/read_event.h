// What the readers of HTTP messages report, piece by piece.
#pragma once

#include <cstddef>
#include <string_view>

namespace gatehouse::proxy {

// What a call of feed() came to.
struct ReadEvent {
  enum class Kind {
    need_more,  // all input is consumed
    head,       // head() is valid
    interim,    // responses only: head() is a 1xx other than 101; the real head is still to come
    body,       // `body` holds decoded bytes, never empty
    complete,   // the message is over; trailers() is valid; nothing is consumed any more
  };
  Kind kind = Kind::need_more;
  size_t consumed = 0;    // bytes taken from the front of the input by this call
  std::string_view body;  // part of the input given to feed()
};

}  // namespace gatehouse::proxy
