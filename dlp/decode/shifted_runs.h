// Letters put in front of an encoded text shift all the bits behind them. So the bytes that a run decodes to are read
// again from each other bit where a byte could begin, and what looks like text there, or like a compressed file, is
// decoded too. The rest is noise and goes nowhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

// Text is found by blocks of this size, counted from a run's beginning: any text of twice the size fills one.
inline constexpr size_t kTextBlockBytes = 8;

// What begins with these bytes may be a compressed file: gzip, zip, zstd, zlib.
bool begins_file(std::string_view bytes);

class ShiftedRuns {
 public:
  // By each of `shifts`, 1 to 7 bits, into the layers "base64#1" and so on for `kind` "base64": as many of them as
  // there are texts at once, seldom more than one.
  ShiftedRuns(DecoderHost& host, std::string_view kind, const std::vector<int>& shifts);

  // A run of decoded bytes begins; its encoded form is at `origin`.
  void open(uint64_t origin);
  void write(std::string_view bytes);
  // The run is over; of a last byte, `rest` has the first `rest_bits`.
  void close(uint8_t rest, int rest_bits);
  void boundary();

  // A run of up to kShortBytes that is all there is, read at once: as open(), write() and close().
  static constexpr size_t kShortBytes = 48;
  void read_short(std::string_view bytes, uint64_t origin, uint8_t rest, int rest_bits);

 private:
  struct Shift {
    enum class State { noise, text, file };

    int bits = 0;
    State state = State::noise;
    size_t layer = 0;              // index into layers_, unless noise
    char before[kTextBlockBytes];  // the block in front
    uint8_t before_size = 0;
  };
  struct OutputLayer {
    DecoderOutput* output = nullptr;  // while a piece is open
    bool taken = false;
  };

  bool may_hold(std::string_view bytes, uint8_t rest, int rest_bits) const;
  void shift(Shift& shift, const char* bytes, size_t size);
  void read(Shift& shift, const char* bytes, size_t size);
  void begin(Shift& shift, Shift::State state);
  void become_noise(Shift& shift);
  void read_text(Shift& shift, const char* bytes, size_t blocks, uint64_t text);
  static size_t find_file(std::string_view bytes);
  void put(Shift& shift, std::string_view bytes);

  DecoderHost& host_;
  const std::string kind_;  // without the number
  std::vector<Shift> shifts_;
  std::vector<OutputLayer> layers_;  // one for each shift, the first ones are used first
  uint64_t origin_ = 0;
  bool first_ = true;  // nothing of the run has been read
  // Runs are looked at when there is so much of them, or all.
  static constexpr size_t kHeldBytes = 256;
  char held_[kHeldBytes];
  size_t held_size_ = 0;
};

}  // namespace gatehouse::dlp
