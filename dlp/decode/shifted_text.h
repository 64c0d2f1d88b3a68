// Letters put in front of an encoded text shift all the bits behind them. So the bytes that a run decodes to are read
// again from each other bit where a byte could begin, and what looks like text there, or like a compressed file, is
// decoded too. The rest is noise and goes nowhere: of random bytes about one in forty is taken for text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

inline constexpr size_t kTextBlockBytes = 8;

// Of whole blocks of bytes, up to 64, which look like text: bit i for block i. `before` is the byte in front. A block
// of ASCII text, of NULs between ASCII (UTF-16) and of UTF-8 does.
uint64_t text_blocks(std::string_view blocks, char before);

// What begins with these bytes may be a compressed file: gzip, zip, zstd.
bool begins_file(std::string_view bytes);
// Likewise zlib, by its header's checksum alone: for the beginning of a run.
bool begins_zlib(std::string_view bytes);

class ShiftedText {
 public:
  // Reads from bit `shift` (1 to 7) of each byte on. Goes to the layer `kind`, as "base64#2".
  ShiftedText(DecoderHost& host, std::string kind, int shift) : host_(host), kind_(std::move(kind)), shift_(shift) {}

  // A run of decoded bytes begins, found at `origin`.
  void open(uint64_t origin);
  // `bytes` of the run; the last of them were given before or are given again next time, such that each call has
  // n + 1 bytes to make n of, n a multiple of kTextBlockBytes but for the last call of a run.
  void write(std::string_view bytes);
  void close();
  // The layer below is over, or at a boundary.
  void end();

 private:
  void shift_block(std::string_view bytes);
  void take(std::string_view shifted);
  size_t skip_noise(std::string_view shifted, uint64_t text);
  void begin_text(std::string_view shifted);
  void put(std::string_view bytes);

  DecoderHost& host_;
  const std::string kind_;
  const int shift_;
  DecoderOutput* output_ = nullptr;
  enum class State { noise, text, file } state_ = State::noise;
  bool piece_ = false;  // one is begun
  bool first_ = false;  // nothing of the run yet
  uint64_t origin_ = 0;
  char before_[kTextBlockBytes];  // the block in front, in State::noise
  uint8_t before_size_ = 0;
  char last_byte_ = 0;
};

}  // namespace gatehouse::dlp
