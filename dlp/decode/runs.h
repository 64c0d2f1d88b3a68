// Long runs of the characters of one alphabet in a stream: what may be base64, base32 or hex.
#pragma once

#include <cstdint>
#include <string_view>

#include "dlp/decode/byte_class.h"

namespace gatehouse::dlp {

inline constexpr size_t kMinRunBytes = 16;  // shorter ones hold no secret
inline constexpr size_t kMaxGapBytes = 64;  // of white space between the lines of one run, and signs that lead lines

// Told of each maximal run of at least kMinRunBytes. Runs with only white space between are lines of one run, and the
// last line may be shorter; so they are with signs of quoting in front of a line, "> ".
class RunSink {
 public:
  virtual ~RunSink() = default;
  virtual void begin(uint64_t origin) = 0;
  // The run's characters, without what is between lines.
  virtual void chars(std::string_view chars, uint64_t origin) = 0;
  virtual void over() = 0;
};

// Bit i is set when 16 bits from i on are.
constexpr uint64_t starts_of_16(uint64_t bits) {
  bits &= bits >> 1;
  bits &= bits >> 2;
  bits &= bits >> 4;
  return bits & bits >> 8;
}

// Whether there are kMinRunBytes members in a row.
bool holds_run(const Mask& mask);

class RunFinder {
 public:
  RunFinder(const ByteClass& alphabet, RunSink& sink) : alphabet_(alphabet), sink_(sink) {}

  // `origin`: of the first byte, in whatever stream the sink counts.
  void write(std::string_view bytes, uint64_t origin);
  // As write(), of up to kMaskedBytes of which it is known which are of the alphabet.
  void take(std::string_view bytes, uint64_t origin, const Mask& mask);
  // Nothing spans it.
  void boundary();
  // Whether no run goes on that the sink was told of.
  bool outside() const { return state_ == State::outside; }

 private:
  enum class State {
    outside,
    inside,  // a line
    gap,     // behind a line
  };

  size_t continue_short(std::string_view bytes, uint64_t origin, const Mask& mask);
  size_t cross_gap(std::string_view bytes, uint64_t origin, const Mask& mask, size_t at);
  size_t take_line(std::string_view bytes, uint64_t origin, const Mask& mask, size_t at);
  void keep_short(std::string_view chars, uint64_t origin);
  void over();

  const ByteClass& alphabet_;
  RunSink& sink_;
  State state_ = State::outside;
  size_t gap_bytes_ = 0;
  bool gap_has_line_end_ = false;
  uint64_t short_origin_ = 0;
  uint8_t short_size_ = 0;  // of a run not yet long enough when the bytes ended
  char short_[kMinRunBytes];
};

}  // namespace gatehouse::dlp
