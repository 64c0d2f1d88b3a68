#include "dlp/decode/text_runs_avx512.h"

#if GATEHOUSE_AVX2

#include <algorithm>
#include <array>
#include <cstdint>

#include "dlp/decode/text_runs.h"

namespace gatehouse::dlp {
namespace {

constexpr uint8_t kTextBit = 1;
constexpr uint8_t kSignBit = 2;  // an escape begins with it
constexpr uint8_t kQuoteBit = 4;

constexpr size_t kLanes = 8;
constexpr size_t kMaxWords = (1 + kMaskWords + kLanes - 1) / kLanes * kLanes;
using Words = std::array<uint64_t, kMaxWords>;

alignas(64) constexpr std::array<uint8_t, 128> kBitsOf = [] {
  std::array<uint8_t, 128> bits{};
  for (uint8_t c = 0; c < 128; ++c) {
    if ((c >= 0x20 && c < 0x7f) || c == 0 || c == '\t' || c == '\n' || c == '\r') bits[c] |= kTextBit;
    if (c == '\\' || c == '%' || c == '&' || c == '=') bits[c] |= kSignBit;
    if (c == '"' || c == '\'' || c == '`') bits[c] |= kQuoteBit;
  }
  return bits;
}();

// What each byte is, 64 of them a word; of characters of UTF-8, first bytes (also those of three and four, of four) and
// further ones.
struct Kinds {
  alignas(64) Words text;
  alignas(64) Words signs;
  alignas(64) Words quotes;
  alignas(64) Words leads;
  alignas(64) Words long_leads;
  alignas(64) Words leads4;
  alignas(64) Words next;
};

GATEHOUSE_AVX512_TARGET inline __m512i bits_of(__m512i in) {
  return _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(in), _mm512_load_si512(kBitsOf.data()), in,
                                        _mm512_load_si512(kBitsOf.data() + 64));
}

GATEHOUSE_AVX512_TARGET inline uint64_t in_range(__m512i in, uint8_t first, uint8_t last) {
  return _mm512_cmple_epu8_mask(_mm512_sub_epi8(in, _mm512_set1_epi8(static_cast<char>(first))),
                                _mm512_set1_epi8(static_cast<char>(last - first)));
}

GATEHOUSE_AVX512_TARGET inline void find_kinds(__m512i in, size_t word, Kinds& kinds) {
  const __m512i bits = bits_of(in);
  kinds.text[word] = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kTextBit));
  kinds.signs[word] = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kSignBit));
  kinds.quotes[word] = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kQuoteBit));
  kinds.leads[word] = in_range(in, 0xc2, 0xf4);
  kinds.long_leads[word] = in_range(in, 0xe0, 0xf4);
  kinds.leads4[word] = in_range(in, 0xf0, 0xf4);
  kinds.next[word] = _mm512_cmplt_epi8_mask(in, _mm512_set1_epi8(-64));
}

// Bits, and the words before them: eight words, each behind the one before.
struct Bits {
  __m512i here;
  __m512i before;  // one word back
};

// What is or was looked at last, for the next eight words.
class Trail {
 public:
  [[gnu::always_inline]] GATEHOUSE_AVX512_TARGET Bits follow(__m512i here) {
    const Bits bits{here, _mm512_maskz_alignr_epi64(0xff, here, last_, 7)};
    last_ = here;
    return bits;
  }
  [[gnu::always_inline]] GATEHOUSE_AVX512_TARGET Trail() : last_(_mm512_setzero_si512()) {}

 private:
  __m512i last_;
};

// `n` bytes on.
template <int n>
[[gnu::always_inline]] GATEHOUSE_AVX512_TARGET inline __m512i later(const Bits& bits) {
  return _mm512_shldi_epi64(bits.here, bits.before, n);
}

[[gnu::always_inline]] GATEHOUSE_AVX512_TARGET inline __m512i both(__m512i a, __m512i b) {
  return _mm512_and_si512(a, b);
}
[[gnu::always_inline]] GATEHOUSE_AVX512_TARGET inline __m512i either(__m512i a, __m512i b) {
  return _mm512_or_si512(a, b);
}

// As ends_of_runs() in text_runs.cc, which says why.
GATEHOUSE_AVX512_TARGET void find_ends(const Kinds& kinds, size_t words, Words& ends) {
  static_assert(kMinEscapedRunBytes == 7 && kMinTextRunBytes == 14);
  Trail ascii, leads, long_leads, lead4s, seconds, thirds, others, texts, twos, fours, sevens, quotes, escapes, pairs,
      quads;
  for (size_t i = 0; i < words; i += kLanes) {
    const Bits lead = leads.follow(_mm512_load_si512(kinds.leads.data() + i));
    const __m512i long_lead = _mm512_load_si512(kinds.long_leads.data() + i);
    const __m512i lead4 = _mm512_load_si512(kinds.leads4.data() + i);
    const __m512i next = _mm512_load_si512(kinds.next.data() + i);
    const __m512i second = both(next, later<1>(lead));
    const __m512i third = both(both(next, later<1>(seconds.follow(second))), later<2>(long_leads.follow(long_lead)));
    const __m512i fourth = both(both(next, later<1>(thirds.follow(third))), later<3>(lead4s.follow(lead4)));
    const __m512i other = either(either(second, third), fourth);
    const __m512i text = either(later<1>(ascii.follow(_mm512_load_si512(kinds.text.data() + i))),
                                either(second, later<1>(others.follow(other))));
    const __m512i two = both(text, later<1>(texts.follow(text)));
    const __m512i four = both(two, later<2>(twos.follow(two)));
    const Bits seven = sevens.follow(both(four, later<3>(fours.follow(four))));

    const Bits quote = quotes.follow(_mm512_load_si512(kinds.quotes.data() + i));
    const __m512i near = either(
        either(either(later<1>(quote), later<2>(quote)), either(later<3>(quote), later<4>(quote))), later<5>(quote));
    const __m512i escape = either(_mm512_load_si512(kinds.signs.data() + i), both(quote.here, near));
    const __m512i pair = either(escape, later<1>(escapes.follow(escape)));
    const Bits quad = quads.follow(either(pair, later<2>(pairs.follow(pair))));
    const __m512i escaped = either(later<1>(quad), later<4>(quad));
    _mm512_store_si512(ends.data() + i, both(seven.here, either(later<7>(seven), escaped)));
  }
}

}  // namespace

GATEHOUSE_AVX512_TARGET bool is_text_avx512(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); at += 64) {
    const __mmask64 within = ~uint64_t{0} >> (64 - std::min<size_t>(64, bytes.size() - at));
    const __m512i bits = bits_of(_mm512_maskz_loadu_epi8(within, bytes.data() + at));  // zeros are text
    if (_mm512_testn_epi8_mask(bits, _mm512_set1_epi8(kTextBit)) != 0) return false;
  }
  return true;
}

GATEHOUSE_AVX512_TARGET void find_text_runs_avx512(const char* before, std::string_view bytes, bool text, Mask& ends) {
  Kinds kinds;
  find_kinds(_mm512_loadu_si512(before), 0, kinds);
  ends.size = bytes.size();
  // Of nothing but text, only the beginning is of interest.
  const std::string_view looked_at = text ? bytes.substr(0, 64) : bytes;
  size_t words = 1;
  for (size_t at = 0; at < looked_at.size(); at += 64) {
    const __mmask64 within = ~uint64_t{0} >> (64 - std::min<size_t>(64, looked_at.size() - at));
    // What is behind the end is no text.
    find_kinds(_mm512_mask_loadu_epi8(_mm512_set1_epi8(1), within, looked_at.data() + at), words++, kinds);
  }
  while (words % kLanes != 0) find_kinds(_mm512_set1_epi8(1), words++, kinds);
  alignas(64) Words found;
  find_ends(kinds, words, found);
  for (size_t i = 0; i < ends.word_count(); ++i) ends.words[i] = text && i > 0 ? ~uint64_t{0} : found[i + 1];
  if (bytes.size() % 64 != 0) ends.words[bytes.size() / 64] &= (uint64_t{1} << bytes.size() % 64) - 1;
}

}  // namespace gatehouse::dlp

#endif
