// UTF-16 and UTF-32 in either order of bytes, behind a byte order mark or found by the zeros between ASCII characters.
#pragma once

#include <cstdint>
#include <string_view>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

// Into the layers "utf16" and "utf32", in UTF-8.
class WideTextDecoder final : public Decoder {
 public:
  explicit WideTextDecoder(DecoderHost& host) : host_(host) {}

  void write(std::string_view bytes) override;
  void boundary() override;
  void end() override;

 private:
  struct Form {
    uint8_t width = 0;  // bytes of a unit; 0: no text
    bool big_endian = false;
  };
  enum class Answer { no, yes, cut };

  // So many units of ASCII begin a text without a mark; more others in a row end it: a token may be all look-alikes.
  static constexpr size_t kFirstUnits = 4;
  static constexpr size_t kMaxOtherUnits = 48;
  static constexpr size_t kCutBytes = kFirstUnits * 4;

  size_t search(std::string_view text, size_t limit);
  Answer recognize(std::string_view text, Form& form) const;
  void open(Form form, uint64_t origin, bool marked);
  size_t read_text(std::string_view bytes);
  bool read_unit(uint32_t unit);
  void put(uint32_t character);
  void flush();
  void close();

  DecoderHost& host_;
  DecoderOutput* outputs_[2] = {};  // of width 2 and 4, while a piece is open
  DecoderOutput* output_ = nullptr;
  uint64_t position_ = 0;  // of the next byte
  bool at_start_ = true;   // of a piece: there may be a mark
  size_t cut_size_ = 0;
  char cut_[kCutBytes];  // the input's end, which may begin a text
  // The text that goes on.
  Form form_;
  bool marked_ = false;
  size_t others_ = 0;  // units in a row that are no ASCII text
  uint32_t unit_ = 0;
  uint8_t unit_size_ = 0;  // bytes of it
  uint16_t high_surrogate_ = 0;
  size_t out_size_ = 0;
  char out_[256];
};

}  // namespace gatehouse::dlp
