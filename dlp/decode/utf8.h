// Characters to and from UTF-8 (RFC 3629).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::dlp {

inline constexpr size_t kMaxUtf8Bytes = 4;

// Writes `character` to `out`, what is no character as U+FFFD; how many bytes it took.
inline size_t put_utf8(uint32_t character, char* out) {
  if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) character = 0xfffd;
  if (character < 0x80) {
    out[0] = static_cast<char>(character);
    return 1;
  }
  const size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; --i, character >>= 6) out[i] = static_cast<char>(0x80 | (character & 0x3f));
  out[0] = static_cast<char>(0xf00 >> size | character);
  return size;
}

// The first character of a text.
struct Utf8Character {
  uint32_t character = 0;
  size_t size = 0;   // 0: the text does not begin with one
  bool cut = false;  // it may, if the text goes on
};
inline Utf8Character read_utf8(std::string_view text) {
  if (text.empty()) return {0, 0, true};
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1, false};
  const size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (size == 0) return {};
  uint32_t character = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {0, 0, true};
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    character = character << 6 | (next & 0x3f);
  }
  const uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  if (character < least || character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) return {};
  return {character, size, false};
}

}  // namespace gatehouse::dlp
