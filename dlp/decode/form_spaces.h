// Forms as they are sent: application/x-www-form-urlencoded, where '+' stands for a space (URL Standard, section 5.1).
#pragma once

#include <string>
#include <string_view>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

// Into the layer "urlencoded": pieces that are declared to be such a form, with spaces for '+'. Their escapes are the
// percent decoder's, which reads that layer, too. What is not declared has its '+' for itself.
class FormSpaces final : public Decoder {
 public:
  explicit FormSpaces(DecoderHost& host) : host_(host) {}

  void write(std::string_view bytes) override;
  void boundary() override;
  void declare(const Piece& piece) override;
  void end() override;

 private:
  // A form without any '+' is not read twice: of what is before the first one, so much is kept.
  static constexpr size_t kMaxBefore = 4096;

  void open();
  void put(std::string_view bytes);
  void close();

  DecoderHost& host_;
  DecoderOutput* output_ = nullptr;  // once there was a '+'
  bool form_ = false;                // the piece is declared to be one
  uint64_t position_ = 0;            // of the next byte
  std::string before_;
};

}  // namespace gatehouse::dlp
