#include "dlp/decode/base32.h"

#include <array>

namespace gatehouse::dlp {

void Base32::begin(uint64_t origin) {
  bit_count_ = 0;
  runs_.open(origin);
}

void Base32::chars(std::string_view chars, uint64_t origin) {
  end_ = origin + chars.size();
  char out[1024];
  size_t size = 0;
  for (const char c : chars) {
    if (c == '=' || size == sizeof out) {
      runs_.write({out, size});
      size = 0;
    }
    if (c == '=') {
      if (bit_count_ > 0) runs_.realign(static_cast<uint8_t>(bits_ & ((1u << bit_count_) - 1)), bit_count_);
      bit_count_ = 0;
      continue;
    }
    bits_ = bits_ << 5 | base32_value(c);
    bit_count_ += 5;
    if (bit_count_ < 8) continue;
    bit_count_ -= 8;
    out[size++] = static_cast<char>(bits_ >> bit_count_);
  }
  runs_.write({out, size});
}

void Base32::read(std::string_view chars, uint64_t origin) {
  constexpr size_t kShortChars = ShiftedRuns::kShortBytes * 8 / 5 - 1;
  if (chars.size() > kShortChars || chars.find('=') != chars.npos) {
    begin(origin);
    this->chars(chars, origin);
    return over();
  }
  std::array<char, ShiftedRuns::kShortBytes> out;
  size_t size = 0;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : chars) {
    bits = bits << 5 | base32_value(c);
    bit_count += 5;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out[size++] = static_cast<char>(bits >> bit_count);
  }
  const auto rest = static_cast<uint8_t>(bits & ((1u << bit_count) - 1));
  runs_.put_short({out.data(), size}, origin, rest, bit_count, origin + chars.size());
}

void Base32::over() {
  runs_.close(static_cast<uint8_t>(bits_ & ((1u << bit_count_) - 1)), bit_count_, end_);
  bit_count_ = 0;
}

}  // namespace gatehouse::dlp
