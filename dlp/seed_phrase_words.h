// The 2048 English words of BIP 39, which wallets are written down in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::dlp {

inline constexpr int kSeedWords = 2048;
inline constexpr size_t kMinSeedWord = 3;  // letters
inline constexpr size_t kMaxSeedWord = 8;

// A word as a number: its letters one after the other, from 0; not more than kMaxSeedWord of them. Either case.
constexpr uint64_t append_letter(uint64_t word, char letter) {
  return word << 8 | static_cast<uint64_t>(static_cast<uint8_t>(letter) | 0x20);
}

// One bit for each hash that some word has, 8 KiB in all.
inline constexpr int kSeedFilterBits = 16;
extern const std::array<uint64_t, (1 << kSeedFilterBits) / 64> seed_word_filter;

constexpr uint64_t seed_word_hash(uint64_t word) { return word * 0x9e3779b97f4a7c15; }

// False for nearly all that is not in the list, without a branch.
inline bool may_be_seed_word(uint64_t word) {
  const uint64_t bit = seed_word_hash(word) >> (64 - kSeedFilterBits);
  return (seed_word_filter[bit / 64] >> bit % 64 & 1) != 0;
}

// The word's place in the list, 0 to 2047; -1 for what is not in it.
int seed_word_index(uint64_t word);

}  // namespace gatehouse::dlp
