// Collects the head of a message line by line and refuses at once what RFC 9112 forbids on the level of bytes: bare CR
// or LF, control bytes, folding, whitespace around a field name, lines, heads and counts over their limits.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

class HeadBuffer {
 public:
  enum class Start { request, response, trailer };  // a trailer section has no start line, and limits of its own

  explicit HeadBuffer(Start start) : start_(start) {}

  // Takes bytes up to the end of the start line, then up to the end of the empty line that ends the head, and returns
  // how many: so that the caller can refuse a bad start line without waiting for the rest. A single empty line before a
  // request line is skipped (RFC 9112 section 2.2). Whatever the pieces, the same bytes get the same refusal.
  tl::expected<size_t, Refusal> feed(std::string_view input);

  bool complete() const { return complete_; }
  bool has_start_line() const { return has_start_line_; }
  bool empty() const { return bytes_.empty(); }  // nothing has come, or only the skipped empty line

  std::string_view bytes() const { return bytes_; }  // with every CRLF and the final empty line
  std::string_view start_line() const;               // once has_start_line(); without CRLF

  void clear();

 private:
  size_t max_bytes() const { return start_ == Start::trailer ? kMaxTrailerBytes : kMaxHeadBytes; }
  bool on_start_line() const { return start_ != Start::trailer && !has_start_line_; }
  tl::expected<void, Refusal> check_growth();
  tl::expected<void, Refusal> check_start_line_bytes(std::string_view bytes) const;
  tl::expected<void, Refusal> end_line();
  tl::expected<void, Refusal> check_field_line(std::string_view line) const;

  Start start_;
  std::string bytes_;
  size_t line_begin_ = 0;  // in bytes_
  size_t checked_ = 0;     // how much of the start line has been looked at
  size_t fields_ = 0;
  bool has_start_line_ = false;
  bool skipped_empty_line_ = false;
  bool complete_ = false;
};

// tchar of RFC 9110 section 5.6.2.
bool is_token_char(unsigned char c);

}  // namespace gatehouse::proxy
