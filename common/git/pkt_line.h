// pkt-lines (gitprotocol-common): four hex digits that count themselves and the payload, then the payload; 0000 to 0002
// are marks without one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::git {

inline constexpr size_t kPktHeaderBytes = 4;
inline constexpr size_t kMaxPktPayloadBytes = 65516;

struct Pkt {
  enum class Kind { data, flush, delimiter, response_end };
  Kind kind = Kind::data;
  std::string_view payload;  // with its line feed, if it has one; valid until the reader is fed
};

// Cuts a byte stream into pkt-lines. The bytes are hostile.
class PktReader {
 public:
  void feed(std::string_view bytes);

  // The next whole one, or nothing when more bytes are needed. An error for a length that is no hex number, is 3, or
  // counts more than the limit; the reader is of no use any more.
  Result<std::optional<Pkt>> next();

  // What has been fed and not been read as a pkt-line.
  std::string_view rest() const { return std::string_view(buffer_).substr(read_); }

 private:
  std::string buffer_;
  size_t read_ = 0;
};

// Appends one; the payload is at most kMaxPktPayloadBytes (asserted).
void append_pkt(std::string& out, std::string_view payload);
void append_flush(std::string& out);

// Without the line feed at its end, of which a sender may add one.
std::string_view without_line_feed(std::string_view payload);

}  // namespace gatehouse::git
