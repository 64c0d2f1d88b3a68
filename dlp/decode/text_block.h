// A block of text, and where in it the characters stand that decoders look for: found once, for all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dlp/decode/byte_class.h"

namespace gatehouse::dlp {

enum class Sign : uint8_t {
  text,    // printable ASCII, white space, NUL
  word,    // letters and digits
  hex,     // digits of it
  base64,  // kBase64Class
  quote,   // " ' `
  join,    // what may follow a string's last quote where another string is put to it
  backslash,
  percent,
  ampersand,
  equals,
  hash,
  line_end,
  number,  // of digits of hex and the x of their prefix
  token,   // what tokens and passwords are made of, but `above`
  above,   // ASCII
};
inline constexpr size_t kSignCount = 15;

class TextBlock {
 public:
  // Up to kMaskedBytes, valid as long as the block is used.
  explicit TextBlock(std::string_view bytes);

  std::string_view bytes() const { return bytes_; }
  const Mask& operator[](Sign sign) const { return masks_[static_cast<size_t>(sign)]; }
  bool has(Sign sign) const { return any_[static_cast<size_t>(sign)] != 0; }

 private:
  std::string_view bytes_;
  std::array<Mask, kSignCount> masks_;
  std::array<uint64_t, kSignCount> any_{};
};

}  // namespace gatehouse::dlp
