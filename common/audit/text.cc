#include "common/audit/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>

namespace gatehouse::audit {

namespace {

struct Decoded {
  uint32_t code_point = 0;
  size_t length = 0;  // 0: no well-formed sequence begins here
};

// One UTF-8 sequence by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Decoded decode(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return {};
  uint32_t code_point = first & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kLeast[length] || code_point > 0x10ffff || surrogate) return {};
  return {code_point, length};
}

bool deceives(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

}  // namespace

std::string storable_text(std::string_view bytes) {
  const size_t cut = bytes.size() > kMaxTextBytes ? bytes.size() - kMaxTextBytes : 0;
  bytes.remove_suffix(cut);
  if (cut == 0 && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) {
    return std::string(bytes);
  }
  std::string text;
  text.reserve(bytes.size() + 32);
  while (!bytes.empty()) {
    const Decoded next = decode(bytes);
    const size_t length = std::max<size_t>(next.length, 1);
    if (next.length == 0 || deceives(next.code_point)) {
      for (size_t i = 0; i < length; ++i) text += fmt::format("\\x{:02x}", static_cast<uint8_t>(bytes[i]));
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  if (cut > 0) text += fmt::format("... ({} more bytes)", cut);
  return text;
}

}  // namespace gatehouse::audit
