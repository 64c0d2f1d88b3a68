#include "dlp/decode/joined_strings.h"

#include <algorithm>
#include <array>
#include <bit>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
// The first character behind a string that another one is put to.
bool may_join(char c) { return is_quote(c) || is_space(c) || c == '+' || c == '.' || c == '&' || c == '|' || c == '~'; }

constexpr std::array<std::string_view, 10> kOperators{"+", "++", ".", "..", "&", "||", "~", "<>", "\\", "^"};
// What a part of a secret may end in.
constexpr ByteClass kStringEnd("-0-9A-Za-z_+/=.!@#$%^*~", true);
constexpr std::string_view kPrefixes = "fFrRbBuULl@$";

size_t find_quote(std::string_view text, size_t at) {
  for (; at < text.size(); ++at) {
    if (is_quote(text[at]) && (at + 1 == text.size() || may_join(text[at + 1]))) return at;
  }
  return at;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET inline __m256i any_of(__m256i in, char a, char b, char c) {
  const __m256i first =
      _mm256_or_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8(a)), _mm256_cmpeq_epi8(in, _mm256_set1_epi8(b)));
  return _mm256_or_si256(first, _mm256_cmpeq_epi8(in, _mm256_set1_epi8(c)));
}

// Passes over what find_quote() would, and finds somewhat more: any quote behind which no colon, comma or bracket is
// nor a letter.
GATEHOUSE_AVX2_TARGET size_t find_quote_avx2(std::string_view text, size_t at) {
  for (; at + 33 <= text.size(); at += 32) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const __m256i quote = any_of(here, '"', '\'', '`');
    if (_mm256_testz_si256(quote, quote)) continue;
    const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at + 1));
    const __m256i space = any_of(next, ' ', '\n', '\r');
    const __m256i joins = _mm256_or_si256(any_of(next, '\t', '+', '.'), any_of(next, '&', '|', '~'));
    const __m256i quotes = any_of(next, '"', '\'', '`');
    const __m256i may = _mm256_or_si256(_mm256_or_si256(space, joins), quotes);
    const auto found = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(quote, may)));
    if (found != 0) return at + static_cast<size_t>(std::countr_zero(found));
  }
  return find_quote(text, at);
}
#endif

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

}  // namespace

size_t JoinedStringsDecoder::find(std::string_view text, size_t at) const {
#if GATEHOUSE_AVX2
  if (has_avx2()) return find_quote_avx2(text, at);
#endif
  return find_quote(text, at);
}

EscapeKind JoinedStringsDecoder::read(std::string_view text, uint64_t position, bool nothing_more,
                                      Escape& escape) const {
  // What ends before the quote is a string with something in it.
  if (position == stretches().known()) return EscapeKind::none;
  const char before = stretches().at(position - 1);
  if (!kStringEnd.holds(before)) return EscapeKind::none;
  const EscapeKind unknown = nothing_more || text.size() >= kMaxEscapeBytes ? EscapeKind::none : EscapeKind::cut;
  size_t at = skip_spaces(text, 1);
  const size_t sign = at;
  while (at < text.size() && at - sign < 2 && std::string_view("+.&|~<>\\^").find(text[at]) != std::string_view::npos) {
    ++at;
  }
  if (at == text.size()) return unknown;
  if (at > sign) {
    const std::string_view given = text.substr(sign, at - sign);
    if (std::find(kOperators.begin(), kOperators.end(), given) == kOperators.end()) return EscapeKind::none;
  }
  at = skip_spaces(text, at);
  if (at < text.size() && kPrefixes.find(text[at]) != kPrefixes.npos) ++at;
  if (at + 1 >= text.size()) return unknown;
  // An empty string, or one that begins with white space, does not continue a secret.
  if (!is_quote(text[at]) || is_quote(text[at + 1]) || is_space(text[at + 1])) return EscapeKind::none;
  escape.used = at + 1;
  return EscapeKind::complete;
}

}  // namespace gatehouse::dlp
