#include "dlp/decode/base64.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kCharsAtOnce = 4096;

constexpr std::array<uint8_t, 256> values() {
  std::array<uint8_t, 256> table{};
  for (unsigned i = 0; i < 26; ++i) {
    table['A' + i] = static_cast<uint8_t>(i);
    table['a' + i] = static_cast<uint8_t>(26 + i);
  }
  for (unsigned i = 0; i < 10; ++i) table['0' + i] = static_cast<uint8_t>(52 + i);
  table['+'] = table['-'] = 62;
  table['/'] = table['_'] = 63;
  return table;
}
constexpr std::array<uint8_t, 256> kValues = values();

uint32_t value(char c) { return kValues[static_cast<uint8_t>(c)]; }

void decode_groups(std::string_view groups, char* out) {
  for (size_t i = 0; i + 4 <= groups.size(); i += 4) {
    const uint32_t bits =
        value(groups[i]) << 18 | value(groups[i + 1]) << 12 | value(groups[i + 2]) << 6 | value(groups[i + 3]);
    *out++ = static_cast<char>(bits >> 16);
    *out++ = static_cast<char>(bits >> 8);
    *out++ = static_cast<char>(bits);
  }
}

#if GATEHOUSE_AVX2
// 32 characters to 24 bytes: what to add to a character follows from its high half, but for '+', '-' and '_'; then the
// sixes of bits are pushed together by multiplying.
GATEHOUSE_AVX2_TARGET void decode_groups_avx2(std::string_view groups, char* out) {
  const __m256i offsets = _mm256_setr_epi8(0, 0, 16, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 4, -65,
                                           -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10,
                                         9, 8, 14, 13, 12, -1, -1, -1, -1);
  size_t i = 0;
  for (; i + 32 <= groups.size(); i += 32, out += 24) {
    const __m256i in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(groups.data() + i));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(in, 4), _mm256_set1_epi8(15));
    __m256i six = _mm256_add_epi8(in, _mm256_shuffle_epi8(offsets, high));
    six = _mm256_add_epi8(six, _mm256_and_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8('+')), _mm256_set1_epi8(3)));
    six = _mm256_add_epi8(six, _mm256_and_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8('-')), _mm256_set1_epi8(1)));
    six = _mm256_add_epi8(six, _mm256_and_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8('_')), _mm256_set1_epi8(33)));
    const __m256i twelve = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
    const __m256i whole = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    const __m256i packed =
        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(whole, order), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), packed);
  }
  decode_groups(groups.substr(i), out);
}

// Values of ASCII characters.
alignas(64) constexpr std::array<uint8_t, 128> kAsciiValues = [] {
  std::array<uint8_t, 128> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = kValues[i];
  return table;
}();

// 64 characters to 48 bytes.
GATEHOUSE_AVX512_TARGET void decode_groups_avx512(std::string_view groups, char* out) {
  const __m512i first = _mm512_load_si512(kAsciiValues.data());
  const __m512i second = _mm512_load_si512(kAsciiValues.data() + 64);
  // Three bytes of each four, the highest first.
  const __m512i order =
      _mm512_set_epi8(63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 60, 61, 62, 56, 57, 58, 52, 53,
                      54, 48, 49, 50, 44, 45, 46, 40, 41, 42, 36, 37, 38, 32, 33, 34, 28, 29, 30, 24, 25, 26, 20, 21,
                      22, 16, 17, 18, 12, 13, 14, 8, 9, 10, 4, 5, 6, 0, 1, 2);
  size_t i = 0;
  for (; i + 64 <= groups.size(); i += 64, out += 48) {
    const __m512i six = _mm512_permutex2var_epi8(first, _mm512_loadu_si512(groups.data() + i), second);
    const __m512i twelve = _mm512_maddubs_epi16(six, _mm512_set1_epi32(0x01400140));
    const __m512i whole = _mm512_madd_epi16(twelve, _mm512_set1_epi32(0x00011000));
    _mm512_storeu_si512(out, _mm512_permutexvar_epi8(order, whole));
  }
  decode_groups_avx2(groups.substr(i), out);
}
#endif

}  // namespace

void decode_base64(std::string_view groups, char* out) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return decode_groups_avx512(groups, out);
  if (has_avx2()) return decode_groups_avx2(groups, out);
#endif
  decode_groups(groups, out);
}

void Base64::begin(uint64_t origin) {
  group_size_ = 0;
  runs_.open(origin);
}

void Base64::chars(std::string_view chars, uint64_t origin) {
  end_ = origin + chars.size();
  while (true) {
    const size_t end = std::min(chars.find('='), chars.size());
    decode(chars.substr(0, end));
    if (end == chars.size()) return;
    const Rest rest = finish_group();
    runs_.realign(rest.bits, rest.count);
    chars.remove_prefix(std::min(chars.find_first_not_of('=', end), chars.size()));
  }
}

void Base64::read_short(std::string_view chars, uint64_t origin, uint64_t end) {
  if (chars.find('=') != chars.npos) {
    begin(origin);
    this->chars(chars, end - chars.size());
    return over();
  }
  static_assert(kShortChars / 4 * 3 + 2 < ShiftedRuns::kShortBytes);
  // The last group is filled up with zeros, of which nothing is taken.
  char padded[kShortChars + 1];
  std::memset(padded, 'A', sizeof padded);
  std::copy(chars.begin(), chars.end(), padded);
  char out[sizeof padded + 16];
  decode_base64({padded, sizeof padded}, out);
  const size_t bits = chars.size() * 6;
  const int rest_bits = static_cast<int>(bits % 8);
  const auto rest = static_cast<uint8_t>(rest_bits > 0 ? static_cast<uint8_t>(out[bits / 8]) >> (8 - rest_bits) : 0);
  runs_.put_short({out, bits / 8}, origin, rest, rest_bits, end);
}

void Base64::decode(std::string_view chars) {
  char out[kCharsAtOnce / 4 * 3 + 32];
  if (group_size_ > 0) {
    const size_t more = std::min(chars.size(), 4 - group_size_);
    std::memcpy(group_ + group_size_, chars.data(), more);
    chars.remove_prefix(more);
    group_size_ += more;
    if (group_size_ < 4) return;
    decode_groups({group_, 4}, out);
    runs_.write({out, 3});
    group_size_ = 0;
  }
  while (chars.size() >= 4) {
    const std::string_view groups = chars.substr(0, std::min(chars.size() / 4 * 4, kCharsAtOnce));
    decode_base64(groups, out);
    runs_.write({out, groups.size() / 4 * 3});
    chars.remove_prefix(groups.size());
  }
  group_size_ = chars.size();
  std::memcpy(group_, chars.data(), group_size_);
}

// What is left of less than four characters.
Base64::Rest Base64::finish_group() {
  uint32_t bits = 0;
  for (size_t i = 0; i < group_size_; ++i) bits = bits << 6 | value(group_[i]);
  int count = static_cast<int>(group_size_) * 6;
  group_size_ = 0;
  char out[2];
  size_t bytes = 0;
  while (count >= 8) {
    count -= 8;
    out[bytes++] = static_cast<char>(bits >> count);
  }
  runs_.write({out, bytes});
  return {static_cast<uint8_t>(bits & ((1u << count) - 1)), count};
}

void Base64::over() {
  const Rest rest = finish_group();
  runs_.close(rest.bits, rest.count, end_);
}

}  // namespace gatehouse::dlp
