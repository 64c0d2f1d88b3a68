// Whether text that comes in pieces is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <string_view>

namespace gatehouse::proxy {

class Utf8Check {
 public:
  // False once it is not.
  bool feed(std::string_view bytes) {
    for (const char c : bytes) {
      if (!take(static_cast<uint8_t>(c))) return false;
    }
    return true;
  }
  // Not within a character.
  bool complete() const { return left_ == 0; }
  void reset() { *this = {}; }

 private:
  bool take(uint8_t byte) {
    if (left_ > 0) {
      if (byte < least_ || byte > most_) return false;
      --left_;
      least_ = 0x80;
      most_ = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    left_ = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    least_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    most_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    return true;
  }

  int left_ = 0;  // bytes of the character under way
  uint8_t least_ = 0x80, most_ = 0xbf;
};

}  // namespace gatehouse::proxy
