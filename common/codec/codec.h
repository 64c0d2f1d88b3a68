// What every decompressor is: compressed bytes in, what they stand for out. Passive, streaming, in bounded memory that
// no number in the input decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse {

inline constexpr size_t kDecodedChunkBytes = 32 * 1024;  // most that is handed on at once

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Valid during the call only. False: no more is wanted.
  virtual bool write(std::string_view bytes) = 0;
};

class Codec {
 public:
  enum class State {
    more,     // so far so good
    done,     // over; what follows is not of it
    failed,   // corrupt, see error(); all that could be decoded before was handed on
    stopped,  // the sink wants no more
  };
  struct Step {
    State state = State::more;
    size_t used = 0;  // of the bytes given; all of them with State::more
  };

  virtual ~Codec() = default;
  // Decodes the next bytes. After anything but State::more it is not called again.
  virtual Step decode(std::string_view bytes, ByteSink& sink) = 0;
  // Whether the input may end here.
  virtual bool complete() const = 0;
  // Where in the input the current (or last) member or frame begins; those of one kind may follow one another.
  virtual uint64_t frame_start() const { return 0; }
  // Of State::failed, in words: "invalid block type".
  virtual std::string_view error() const = 0;
};

inline constexpr std::string_view kTooMuchMemory = "needs more memory than allowed";

}  // namespace gatehouse
