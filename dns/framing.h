// Messages on a byte stream: each behind its length in two bytes (RFC 1035 section 4.2.2, RFC 7766 section 8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::dns {

// Takes bytes as they come and hands out whole messages. It holds what it was fed and next() has not returned, so
// whoever feeds it at most 64 KiB at a time, and only when next() has nothing left, makes it hold at most 128 KiB.
class MessageReader {
 public:
  void feed(std::string_view bytes);

  // The next whole message (it may be empty), good until the next call; nothing when more bytes are needed.
  std::optional<std::string_view> next();

  // Bytes are held that are not yet a whole message (or were not asked for).
  bool pending() const { return at_ < buffer_.size(); }

 private:
  std::string buffer_;
  size_t at_ = 0;  // bytes before this have been handed out
};

// Appends `message` (at most 65535 bytes) and its length to `out`.
void append_frame(std::string_view message, std::string& out);

}  // namespace gatehouse::dns
