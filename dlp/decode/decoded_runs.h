// What base64, base32 and hex have in common: runs of decoded bytes on their way into the layer of their kind, and read
// at shifted bits besides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/decoder.h"
#include "dlp/decode/shifted_runs.h"

namespace gatehouse::dlp {

class DecodedRuns {
 public:
  // Runs of fewer than `least` bytes are nothing.
  DecodedRuns(DecoderHost& host, std::string kind, const std::vector<int>& shifts, size_t least);

  void open(uint64_t origin);
  void write(std::string_view bytes);
  // What follows does not continue the bits of what was before; `rest_bits` are left of a byte, in `rest`.
  void realign(uint8_t rest, int rest_bits);
  // As realign(), and the run is over: it ended before `end`.
  void close(uint8_t rest, int rest_bits, uint64_t end);
  // A run of fewer than ShiftedRuns::kShortBytes, all of it.
  void put_short(std::string_view bytes, uint64_t origin, uint8_t rest, int rest_bits, uint64_t end);
  // The layer below is over, or at a boundary.
  void boundary();

 private:
  // A run of this length is a piece of its own, so that decoders know its beginning; shorter ones share one.
  static constexpr size_t kPieceBytes = 48;
  static_assert(kPieceBytes == ShiftedRuns::kShortBytes);

  void begin_piece();
  void put(std::string_view run, uint64_t end);

  DecoderHost& host_;
  const std::string kind_;
  const size_t least_;
  ShiftedRuns shifted_;
  DecoderOutput* output_ = nullptr;  // while a piece is open
  uint64_t origin_ = 0;
  bool holding_ = false;  // it is not yet known how long the run is
  size_t held_size_ = 0;
  char held_[kPieceBytes];
};

}  // namespace gatehouse::dlp
