// Sets of byte values, and where in a text their members stand, 64 bytes at a time: what finds out cheaply that a
// decoder has nothing to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::dlp {

// A set of ASCII characters, and perhaps all bytes above them.
class ByteClass {
 public:
  // `members` are characters and ranges: "a-zA-Z0-9+/" (a '-' first stands for itself).
  explicit constexpr ByteClass(std::string_view members, bool above_ascii = false) : above_ascii_(above_ascii) {
    for (size_t i = 0; i < members.size(); ++i) {
      const auto first = static_cast<unsigned char>(members[i]);
      const bool range = i + 2 < members.size() && members[i + 1] == '-';
      if (range) i += 2;
      for (unsigned c = first; c <= static_cast<unsigned char>(members[i]); ++c) {
        table_[c] = true;
        rows_[c & 15] = static_cast<uint8_t>(rows_[c & 15] | (1u << (c >> 4)));
      }
    }
    for (unsigned c = 128; c < 256; ++c) table_[c] = above_ascii;
  }

  constexpr bool holds(char c) const { return table_[static_cast<unsigned char>(c)]; }
  // By character; 1: a member.
  constexpr const std::array<bool, 256>& table() const { return table_; }
  // By low half of a character, the set of its members' high halves as bits.
  constexpr const std::array<uint8_t, 16>& rows() const { return rows_; }
  bool above_ascii() const { return above_ascii_; }

 private:
  std::array<bool, 256> table_{};
  std::array<uint8_t, 16> rows_{};
  bool above_ascii_;
};

inline constexpr size_t kMaskedBytes = 4096;  // looked at in one go
inline constexpr size_t kMaskWords = kMaskedBytes / 64;

// Which of up to kMaskedBytes bytes are members: bit i % 64 of word i / 64. Bits behind the end are 0.
struct Mask {
  std::array<uint64_t, kMaskWords> words;
  size_t size;  // bytes

  bool at(size_t i) const { return (words[i / 64] >> (i % 64)) & 1; }
  size_t word_count() const { return (size + 63) / 64; }
  // The first member at or behind `from`, the first that is none; size if there is no such.
  size_t find(size_t from) const;
  size_t find_not(size_t from) const;
};
void find_members(const ByteClass& members, std::string_view bytes, Mask& mask);
void find_byte(char byte, std::string_view bytes, Mask& mask);

// The positions of the bits that are set in up to kMaskWords words; how many they are. Behind them, `positions` may be
// written over.
inline constexpr size_t kMaxPositions = kMaskedBytes + 64;
size_t list_positions(const uint64_t* words, size_t count, uint16_t* positions);

}  // namespace gatehouse::dlp
