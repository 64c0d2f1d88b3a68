// For decoders of text in which most stands as it is and some is escaped: passes on the escapes decoded, with as much
// of the text around them as a secret and what announces it may take. Text far from any escape is not passed on: it was
// read below.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

inline constexpr size_t kStretchBytes = 256;  // on each side of an escape, at most
// Control characters end a stretch, and less than this between them is taken for noise; less than the other at the end
// of the input.
inline constexpr size_t kMinStretchBytes = 16;
inline constexpr size_t kMinLastStretchBytes = 6;
inline constexpr size_t kMaxEscapeBytes = 64;
inline constexpr size_t kMaxBehindBytes = 256;  // an escape may be recognized so late

class Stretches {
 public:
  // `context`: how much of the text to copy on each side of an escape.
  Stretches(DecoderHost& host, std::string kind, size_t context = kStretchBytes)
      : host_(host), kind_(std::move(kind)), context_(context) {}

  // The input's next bytes, valid until leave().
  void enter(std::string_view bytes) {
    bytes_ = bytes;
    clean_ = Clean::unknown;
  }
  // The `used` bytes of input from `at` on stand for `decoded`, at most kMinStretchBytes. In order; they may have begun
  // up to kMaxBehindBytes before the current bytes. What is redundant stays as it is.
  void made(uint64_t at, size_t used, std::string_view decoded) {
    if (!made_next(at, used, decoded)) made_anywhere(at, used, decoded);
  }
  // The `used` bytes of input from `at` on, of which each of the `escapes` and the byte behind it stand for one byte,
  // are `decoded`: as made() for each of the escapes, of which there are some. False if they have to be told one by
  // one. Of `decoded`, kAtOnce bytes can be read.
  static constexpr size_t kAtOnce = 64;
  bool made_escapes(uint64_t at, size_t used, uint64_t escapes, std::string_view decoded);
  // Whether that may be of any use for the current bytes.
  bool takes_escapes() const { return !host_.ever_redundant(kind_); }
  // Of the current bytes, the last `undecided` may yet be made into something.
  void leave(size_t undecided);
  // Nothing spans the next bytes, which are not given; positions count on behind them.
  void skip(uint64_t bytes);
  // Nothing spans it. Positions count on.
  void boundary();
  void end();

  // Of the current bytes, in the input.
  uint64_t position() const { return position_; }
  // What can still be looked at: from here, at least kMaxBehindBytes before the current bytes, to their end.
  uint64_t known() const { return std::max(start_, position_ - history_size_); }
  char at(uint64_t position) const {
    return position >= position_ ? bytes_[position - position_] : history_[history_size_ - (position_ - position)];
  }

 private:
  enum class State {
    closed,
    held,  // too little so far
    open,
  };

  bool made_next(uint64_t at, size_t used, std::string_view decoded);
  void made_anywhere(uint64_t at, size_t used, std::string_view decoded);
  bool clean();
  void copy_context(uint64_t at);
  void follow(uint64_t limit);
  void copy(uint64_t from, uint64_t to);
  template <class Part>
  void for_parts(uint64_t from, uint64_t to, Part part);
  void copy_part(std::string_view part, uint64_t origin);
  void put(std::string_view bytes, DecoderOutput::Stretch stretch);
  void put_out();
  std::string_view hold(std::string_view bytes);
  void open_run();

  DecoderHost& host_;
  const std::string kind_;
  const size_t context_;
  DecoderOutput* output_ = nullptr;  // while a piece is open
  State state_ = State::closed;
  std::string_view bytes_;
  enum class Clean : uint8_t { unknown, yes, no } clean_ = Clean::unknown;  // bytes_ hold no noise
  uint64_t position_ = 0;                                                   // of bytes_
  uint64_t start_ = 0;                                                      // of the input, or behind its last boundary
  uint64_t done_ = 0;        // unless closed: input before this was passed on
  uint64_t made_end_ = 0;    // behind the last escape
  uint64_t run_origin_ = 0;  // of what is held or open
  size_t held_size_ = 0;
  size_t history_size_ = 0;
  // On its way to the output, so that it goes there many stretches at a time.
  size_t out_size_ = 0;
  size_t stretch_count_ = 0;
  std::array<DecoderOutput::Stretch, 64> stretches_;
  std::array<char, 2048> out_;
  char held_[kMinStretchBytes];
  char history_[kStretchBytes + kMaxBehindBytes];  // the input's last bytes before bytes_
};

}  // namespace gatehouse::dlp
