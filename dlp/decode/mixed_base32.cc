#include "dlp/decode/mixed_base32.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

// Of so many bytes in a row the first bits are zero, in ASCII.
constexpr size_t kAsciiBytes = 16;
static_assert(kMinMixedBytes * 5 / 8 >= kAsciiBytes);

// Bit i is set when kMinMixedBytes bits from i on are, the last ones in `next`.
uint64_t starts_of_runs(uint64_t here, uint64_t next) {
  static_assert(kMinMixedBytes == 40);
  for (const int n : {1, 2, 4, 8, 16, 8}) {
    here &= here >> n | next << (64 - n);
    next &= next >> n;
  }
  return here;
}

constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values{};
  for (size_t c = 0; c < values.size(); ++c) values[c] = static_cast<uint8_t>(base32_value(static_cast<char>(c)));
  return values;
}();

bool has_both_cases(std::string_view chars) {
  bool lower = false, upper = false;
  for (const char c : chars) {
    lower |= c >= 'a' && c <= 'z';
    upper |= c >= 'A' && c <= 'Z';
  }
  return lower && upper;
}

bool may_be_ascii_plain(std::string_view chars) {
  constexpr size_t kGroup = 8;  // of characters, five bytes
  std::array<char, kSureMixedBytes> padded{};
  std::copy(chars.begin(), chars.end(), padded.begin());
  std::array<uint8_t, kSureMixedBytes> bytes;
  for (size_t i = 0; i < chars.size(); i += kGroup) {
    uint64_t bits = 0;
    for (size_t j = i; j < i + kGroup; ++j) bits = bits << 5 | kValues[static_cast<uint8_t>(padded[j])];
    for (size_t j = 0; j < 5; ++j) bytes[i / kGroup * 5 + j] = static_cast<uint8_t>(bits >> (32 - 8 * j));
  }
  // A bit that is zero in so many of them: none goes on behind the end.
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(chars.size() * 5 / 8), bytes.end(), uint8_t{0xff});
  static_assert(kAsciiBytes == 16);
  for (const size_t n : {1, 2, 4, 8}) {
    for (size_t i = 0; i + n < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(bytes[i] | bytes[i + n]);
  }
  return std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0xff; });
}

#if GATEHOUSE_AVX2
alignas(64) constexpr std::array<uint8_t, 128> kAsciiValues = [] {
  std::array<uint8_t, 128> values{};
  std::copy_n(kValues.begin(), values.size(), values.begin());
  return values;
}();
alignas(64) constexpr std::array<uint8_t, 64> kNumbers = [] {
  std::array<uint8_t, 64> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint8_t>(i);
  return numbers;
}();
// Of five bytes in each eight, the highest first.
alignas(64) constexpr std::array<uint8_t, 64> kFiveOfEight = [] {
  std::array<uint8_t, 64> order{};
  for (size_t i = 0; i < 40; ++i) order[i] = static_cast<uint8_t>(i / 5 * 8 + 4 - i % 5);
  return order;
}();

GATEHOUSE_AVX512_TARGET bool may_be_ascii_avx512(std::string_view chars) {
  const __m512i in = _mm512_maskz_loadu_epi8(~uint64_t{0} >> (64 - chars.size()), chars.data());
  const __m512i fives =
      _mm512_permutex2var_epi8(_mm512_load_si512(kAsciiValues.data()), in, _mm512_load_si512(kAsciiValues.data() + 64));
  const __m512i tens = _mm512_maddubs_epi16(fives, _mm512_set1_epi32(0x01200120));
  const __m512i twenties = _mm512_madd_epi16(tens, _mm512_set1_epi32(0x00010400));
  const __m512i forties =
      _mm512_or_si512(_mm512_srli_epi64(_mm512_slli_epi64(twenties, 32), 12), _mm512_srli_epi64(twenties, 32));
  const uint64_t within = (uint64_t{1} << chars.size() * 5 / 8) - 1;
  const __m512i ones = _mm512_set1_epi8(-1);
  __m512i bytes = _mm512_mask_permutexvar_epi8(ones, within, _mm512_load_si512(kFiveOfEight.data()), forties);
  static_assert(kAsciiBytes == 16);
  for (const char n : {1, 2, 4, 8}) {
    const __m512i ahead = _mm512_add_epi8(_mm512_load_si512(kNumbers.data()), _mm512_set1_epi8(n));
    bytes = _mm512_or_si512(bytes, _mm512_permutexvar_epi8(ahead, bytes));
  }
  return _mm512_cmpneq_epi8_mask(bytes, ones) != 0;
}
#endif

// Whether it means ASCII somewhere, at whichever of the eight bits its bytes begin: less than kSureMixedBytes.
bool may_be_ascii(std::string_view chars) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return may_be_ascii_avx512(chars);
#endif
  return may_be_ascii_plain(chars);
}

}  // namespace

void MixedBase32::begin(uint64_t /*origin*/) {
  open_ = false;
  kept_size_ = 0;
}

void MixedBase32::chars(std::string_view chars, uint64_t origin) {
  while (!chars.empty()) {
    const std::string_view now = chars.substr(0, kMaskedBytes);
    take(now, origin);
    chars.remove_prefix(now.size());
    origin += now.size();
  }
}

void MixedBase32::take(std::string_view chars, uint64_t origin) {
  Mask mask;
  find_members(kMixedBase32Class, chars, mask);
  size_t at = 0;
  if (open_ || kept_size_ > 0) {
    at = mask.find_not(0);
    if (open_) {
      base32_.chars(chars.substr(0, at), origin);
    } else {
      keep(chars.substr(0, at), origin);
    }
    if (at == chars.size()) return;
    over();
  }
  for (size_t i = at / 64; i < mask.word_count(); ++i) {
    const uint64_t next = i + 1 < mask.word_count() ? mask.words[i + 1] : 0;
    uint64_t starts = starts_of_runs(mask.words[i], next);
    if (at > i * 64) starts &= at - i * 64 < 64 ? ~uint64_t{0} << (at - i * 64) : 0;
    if (starts == 0) continue;
    const size_t begin = i * 64 + static_cast<size_t>(std::countr_zero(starts));
    at = mask.find_not(begin);
    if (at == chars.size()) return keep(chars.substr(begin), origin + begin);
    put(chars.substr(begin, at - begin), origin + begin);
    i = at / 64 - 1;
  }
  // What ends here may be the beginning of a run.
  size_t begin = chars.size();
  while (begin > at && mask.at(begin - 1)) --begin;
  if (begin < chars.size()) keep(chars.substr(begin), origin + begin);
}

// The run goes on behind them, or may do so.
void MixedBase32::keep(std::string_view chars, uint64_t origin) {
  if (kept_size_ == 0) kept_origin_ = origin;
  const size_t more = std::min(chars.size(), kSureMixedBytes - kept_size_);
  std::memcpy(kept_ + kept_size_, chars.data(), more);
  kept_size_ += more;
  if (kept_size_ < kSureMixedBytes) return;
  open_ = true;
  base32_.begin(kept_origin_);
  base32_.chars({kept_, kept_size_}, kept_origin_);
  if (more < chars.size()) base32_.chars(chars.substr(more), origin + more);
  kept_size_ = 0;
}

void MixedBase32::over() {
  if (open_) base32_.over();
  if (kept_size_ > 0) put({kept_, kept_size_}, kept_origin_);
  begin(0);
}

// All of a run. In one case it is read as what it is, unless it is so long that keep() would not have waited for its
// end: what comes out may not depend on how the input is cut.
void MixedBase32::put(std::string_view run, uint64_t origin) {
  const bool sure = run.size() >= kSureMixedBytes;
  if (!sure && (run.size() < kMinMixedBytes || !may_be_ascii(run) || !has_both_cases(run))) return;
  base32_.read(run, origin);
}

}  // namespace gatehouse::dlp
