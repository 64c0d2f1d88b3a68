#include "dlp/decode/hex.h"

namespace gatehouse::dlp {

void Hex::begin(uint64_t origin) {
  half_ = false;
  runs_.open(origin);
}

void Hex::chars(std::string_view chars, uint64_t origin) {
  end_ = origin + chars.size();
  char out[1024];
  size_t size = 0;
  for (const char c : chars) {
    const uint8_t digit = hex_value(c);
    if (half_) {
      out[size++] = static_cast<char>(digit_ << 4 | digit);
      if (size == sizeof out) {
        runs_.write({out, size});
        size = 0;
      }
    }
    digit_ = digit;
    half_ = !half_;
  }
  runs_.write({out, size});
}

void Hex::over() {
  runs_.close(digit_, half_ ? 4 : 0, end_);
  half_ = false;
}

}  // namespace gatehouse::dlp
