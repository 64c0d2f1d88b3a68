// Something encoded within a piece that is followed byte by byte from where it begins: a gzip stream, a zip entry, a
// tar archive. Several may be followed at once through the same bytes, since only one of them need be real.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace gatehouse::dlp {

// Whether a header said that the bytes are so encoded, or they merely look like it. What is declared and cannot be
// decoded is a fault.
enum class Trust { guessed, declared };

class Follower {
 public:
  // Of the bytes next to come: in so many the follower does nothing but (plain) hand them on as they are, so that
  // what is in them is found there.
  struct Span {
    uint64_t bytes = std::numeric_limits<uint64_t>::max();
    bool plain = false;
  };

  virtual ~Follower() = default;
  // The next bytes. False once it has an end, whatever the reason; it is not called again.
  virtual bool feed(std::string_view bytes) = 0;
  // The piece is over.
  virtual void finish() = 0;
  virtual Span span() const { return {}; }
  // Whether it reads the byte at this offset of its input as the beginning of a further member of its own.
  virtual bool begins_at(uint64_t) const { return false; }
  // Whether it has come to anything yet.
  virtual bool begun() const { return true; }
};

}  // namespace gatehouse::dlp
