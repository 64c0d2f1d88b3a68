// Bytes written as numbers: "67 68 70", "67:68:70", "0x67, 0x68", and in decimal "[103, 104, 112]".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

inline constexpr size_t kMinCodes = 8;          // fewer are no text
inline constexpr size_t kMaxCodeGapBytes = 12;  // between two numbers: commas, white space, quotes

// Into the layers "hex#codes" and "decimal".
class CodesDecoder final : public TextDecoder {
 public:
  static constexpr size_t kEndsAtOnce = 16;  // of words, looked at together

  explicit CodesDecoder(DecoderHost& host) : hex_(host, "hex#codes"), decimal_(host, "decimal") {}

  void take(const TextBlock& block) override;
  bool wants(const TextBlock& block) const override;
  void skip(uint64_t bytes) override;
  void boundary() override;
  void end() override;

 private:
  // One reading of the numbers.
  class Reading {
   public:
    Reading(DecoderHost& host, const char* kind) : host_(host), kind_(kind) {}

    void open(uint64_t origin);
    void add(uint8_t byte);
    // These numbers cannot be read so.
    void fail() { failed_ = true; }
    bool failed() const { return failed_; }
    void flush();
    void close();
    void boundary();

   private:
    DecoderHost& host_;
    const char* const kind_;
    DecoderOutput* output_ = nullptr;  // while a piece is open
    bool failed_ = true;
    uint64_t origin_ = 0;
    size_t count_ = 0;  // bytes so far
    size_t held_size_ = 0;
    std::array<char, 64> held_;
  };

  // A character that may begin or end a number is looked for this far back.
  static constexpr size_t kHistoryBytes = 128;

  using Ends = std::array<uint16_t, kMaxPositions + kEndsAtOnce>;

  void scan(const TextBlock& block);
  bool may_be_close(const Mask& ends) const;
  void keep_ends(const Mask& ends);
  size_t follow_to_next(const Ends& ends, size_t next, size_t count);
  size_t find_close(const Ends& ends, size_t next, size_t count) const;
  uint64_t end_before(const Ends& ends, size_t last) const;
  void start(uint64_t position);
  void follow(uint64_t end);
  bool read(char c);
  bool end_number();
  void stop();
  char at(uint64_t position) const;

  Reading hex_;
  Reading decimal_;
  std::string_view bytes_;
  uint64_t position_ = 0;        // of bytes_
  uint64_t start_ = 0;           // of the input, or behind its last boundary
  uint64_t letters_before_ = 0;  // of the 64 characters before, as bits
  uint64_t others_before_ = 0;   // of these, those that no number has
  bool hex_before_ = false;
  std::array<uint64_t, kMinCodes> ends_{};  // behind the last words that may be numbers
  bool active_ = false;
  uint64_t done_ = 0;      // unless active, no number begins before
  size_t gap_ = 0;         // characters since the last number
  size_t digits_ = 0;      // of the number that goes on
  bool prefixed_ = false;  // it began with 0x or x
  uint32_t hex_value_ = 0;
  uint32_t decimal_value_ = 0;
  bool is_decimal_ = false;
  size_t history_size_ = 0;
  char history_[kHistoryBytes];
};

}  // namespace gatehouse::dlp
