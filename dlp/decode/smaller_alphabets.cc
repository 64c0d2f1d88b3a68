#include "dlp/decode/smaller_alphabets.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr const ByteClass* kAlphabets[] = {&kUpperBase32Class, &kLowerBase32Class, &kHexClass};

bool holds_run(std::string_view chars) {
  for (const ByteClass* alphabet : kAlphabets) {
    size_t run = 0;
    for (const char c : chars) {
      run = alphabet->holds(c) ? run + 1 : 0;
      if (run == kMinRunBytes) return true;
    }
  }
  return false;
}

// Around the characters [at, at + 8), which are of the alphabet.
bool holds_run_around(const ByteClass& alphabet, std::string_view chars, size_t at) {
  size_t begin = at;
  while (begin > 0 && alphabet.holds(chars[begin - 1]) && at - begin < kMinRunBytes) --begin;
  size_t end = at + 8;
  while (end < chars.size() && alphabet.holds(chars[end]) && end - begin < kMinRunBytes) ++end;
  return end - begin >= kMinRunBytes;
}

#if GATEHOUSE_AVX2
// In each run of 16 there are eight that stand at a multiple of eight.
GATEHOUSE_AVX2_TARGET bool holds_run_avx2(std::string_view chars) {
  static_assert(kMinRunBytes == 16);
  // Bits: digits and '=' of base32; capitals from 4x, from 5x; small letters likewise; digits, letters of hex.
  const __m256i low_half =
      _mm256_setr_epi8(0x34, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f, 0x3e, 0x3e, 0x1e, 0x0a, 0x0a, 0x0b, 0x0a, 0x0a,
                       0x34, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f, 0x3e, 0x3e, 0x1e, 0x0a, 0x0a, 0x0b, 0x0a, 0x0a);
  const __m256i high_half = _mm256_setr_epi8(0, 0, 0, 0x21, 0x42, 0x04, 0x48, 0x10, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                             0, 0, 0, 0x21, 0x42, 0x04, 0x48, 0x10, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i zero = _mm256_setzero_si256();
  for (size_t i = 0; i < chars.size(); i += 32) {
    __m256i in = _mm256_set1_epi8('+');  // of none of them
    if (i + 32 <= chars.size()) {
      in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(chars.data() + i));
    } else {
      std::memcpy(&in, chars.data() + i, chars.size() - i);
    }
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(in, 4), _mm256_set1_epi8(15));
    const __m256i kinds = _mm256_and_si256(_mm256_shuffle_epi8(low_half, in), _mm256_shuffle_epi8(high_half, high));
    // -1 where it is not of the alphabet, then where none of eight is.
    const __m256i no_upper = _mm256_cmpeq_epi8(_mm256_and_si256(kinds, _mm256_set1_epi8(0x07)), zero);
    const __m256i no_lower = _mm256_cmpeq_epi8(_mm256_and_si256(kinds, _mm256_set1_epi8(0x19)), zero);
    const __m256i no_hex = _mm256_cmpeq_epi8(_mm256_and_si256(kinds, _mm256_set1_epi8(0x60)), zero);
    const __m256i upper = _mm256_cmpeq_epi64(no_upper, zero);
    const __m256i lower = _mm256_cmpeq_epi64(no_lower, zero);
    const __m256i hex = _mm256_cmpeq_epi64(no_hex, zero);
    const __m256i any = _mm256_or_si256(_mm256_or_si256(upper, lower), hex);
    if (_mm256_testz_si256(any, any)) continue;
    const __m256i eights[] = {upper, lower, hex};
    for (size_t kind = 0; kind < std::size(kAlphabets); ++kind) {
      auto found = static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(eights[kind])));
      for (; found != 0; found &= found - 1) {
        const size_t at = i + 8 * static_cast<size_t>(std::countr_zero(found));
        if (holds_run_around(*kAlphabets[kind], chars, at)) return true;
      }
    }
  }
  return false;
}

// One byte for each ASCII character: bit i is set if it is of kAlphabets[i].
alignas(64) constexpr std::array<uint8_t, 128> kAlphabetsOf = [] {
  std::array<uint8_t, 128> alphabets{};
  for (unsigned c = 0; c < 128; ++c) {
    for (unsigned i = 0; i < std::size(kAlphabets); ++i) {
      if (kAlphabets[i]->holds(static_cast<char>(c))) alphabets[c] = static_cast<uint8_t>(alphabets[c] | 1u << i);
    }
  }
  return alphabets;
}();

GATEHOUSE_AVX512_TARGET bool holds_run_avx512(std::string_view chars) {
  static_assert(kMinRunBytes == 16);
  constexpr uint64_t kOnes = 0x0101010101010101;
  const __m512i first = _mm512_load_si512(kAlphabetsOf.data());
  const __m512i second = _mm512_load_si512(kAlphabetsOf.data() + 64);
  std::array<uint64_t, std::size(kAlphabets)> last{};
  for (size_t i = 0; i < chars.size(); i += 64) {
    const size_t bytes = std::min<size_t>(64, chars.size() - i);
    const __mmask64 within = ~uint64_t{0} >> (64 - bytes);
    const __m512i in = _mm512_maskz_loadu_epi8(within, chars.data() + i);
    const __m512i kinds = _mm512_maskz_permutex2var_epi8(within, first, in, second);
    for (size_t kind = 0; kind < last.size(); ++kind) {
      const uint64_t here = _mm512_test_epi8_mask(kinds, _mm512_set1_epi8(static_cast<char>(1 << kind)));
      const uint64_t before = std::exchange(last[kind], here);
      // Of a run, eight stand at a multiple of eight, here or in the word before.
      const auto eight = [](uint64_t bits) { return (~bits - kOnes) & bits & (kOnes << 7); };
      if ((eight(here) | (eight(before) >> 56)) == 0) continue;
      const uint64_t seam = before >> 49 | (here & 0x7fff) << 15;
      if ((starts_of_16(here) | starts_of_16(seam)) != 0) return true;
    }
  }
  return false;
}
#endif

}  // namespace

bool holds_smaller_run(std::string_view chars) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return holds_run_avx512(chars);
  if (has_avx2()) return holds_run_avx2(chars);
#endif
  return holds_run(chars);
}

SmallerAlphabets::SmallerAlphabets(DecoderHost& host)
    : upper_base32_(host, "base32"),
      lower_base32_(host, "base32#lower"),
      hex_(host, "hex"),
      upper_base32_runs_(kUpperBase32Class, upper_base32_),
      lower_base32_runs_(kLowerBase32Class, lower_base32_),
      hex_runs_(kHexClass, hex_) {}

void SmallerAlphabets::begin(uint64_t /*origin*/) {
  state_ = State::fresh;
  held_size_ = 0;
}

void SmallerAlphabets::chars(std::string_view chars, uint64_t origin) {
  const bool nothing = !holds_smaller_run(chars);
  if (state_ == State::fresh && nothing) {
    state_ = State::held;
    held_size_ = std::min(chars.size(), kMinRunBytes);
    held_origin_ = origin + chars.size() - held_size_;
    std::memcpy(held_, chars.data() + chars.size() - held_size_, held_size_);
    return;
  }
  if (state_ == State::held) give({held_, held_size_}, held_origin_);
  state_ = State::given;
  if (nothing && chars.size() > 2 * kMinRunBytes) {
    // A run may end in the first of them or begin in the last.
    give(chars.substr(0, kMinRunBytes), origin);
    const size_t passed = outside() ? chars.size() - kMinRunBytes : kMinRunBytes;
    if (outside()) end_runs();
    chars.remove_prefix(passed);
    origin += passed;
  }
  give(chars, origin);
}

void SmallerAlphabets::over() {
  if (state_ == State::given) end_runs();
  state_ = State::fresh;
}

void SmallerAlphabets::boundary() {
  upper_base32_.boundary();
  lower_base32_.boundary();
  hex_.boundary();
}

void SmallerAlphabets::give(std::string_view chars, uint64_t origin) {
  upper_base32_runs_.write(chars, origin);
  lower_base32_runs_.write(chars, origin);
  hex_runs_.write(chars, origin);
}

bool SmallerAlphabets::outside() const {
  return upper_base32_runs_.outside() && lower_base32_runs_.outside() && hex_runs_.outside();
}

void SmallerAlphabets::end_runs() {
  upper_base32_runs_.boundary();
  lower_base32_runs_.boundary();
  hex_runs_.boundary();
}

}  // namespace gatehouse::dlp
