// What permessage-deflate has made of messages, undone (RFC 7692 section 7.2.2). Passive; the output is bounded by who
// takes it, piece by piece.
#pragma once

#include <zlib.h>

#include <array>
#include <string_view>

namespace gatehouse::proxy {

class MessageInflate {
 public:
  // `takeover`: each message may refer to those before it.
  explicit MessageInflate(bool takeover);
  ~MessageInflate();
  MessageInflate(const MessageInflate&) = delete;
  MessageInflate& operator=(const MessageInflate&) = delete;

  void begin_message();
  struct Step {
    bool ok = true;
    size_t used = 0;         // of the input
    std::string_view bytes;  // what came out, valid until the next call; when empty, all that could has
  };
  // Call again, with what is left, until nothing comes out and all is used.
  Step inflate(std::string_view input);
  // Likewise, at the end of the message.
  Step finish();

 private:
  z_stream z_{};
  bool takeover_;
  bool ready_ = false;
  size_t tail_ = 0;  // bytes given of what ends a message
  std::array<char, 16 * 1024> out_;
};

}  // namespace gatehouse::proxy
