#include "dlp/decode/unicode.h"

#include <algorithm>
#include <cstring>

#include "dlp/decode/fold.h"
#include "dlp/decode/simd.h"
#include "dlp/decode/utf8.h"

namespace gatehouse::dlp {
namespace {

// A character is taken for noise unless on one side of it there is valid text of this length, or the text's end.
constexpr size_t kTextBytes = 12;

bool is_control(uint32_t c) { return (c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0) || c == 0x7f; }
bool is_lead(char c) { return static_cast<uint8_t>(c) >= 0xc2 && static_cast<uint8_t>(c) < 0xf5; }
bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xc0) == 0x80; }

// Of 64 bytes: first bytes of characters, further ones.
struct Characters {
  uint64_t leads = 0;
  uint64_t continuations = 0;
};

Characters find_characters(const char* bytes) {
  Characters found;
  for (unsigned i = 0; i < 64; ++i) {
    found.leads |= static_cast<uint64_t>(is_lead(bytes[i])) << i;
    found.continuations |= static_cast<uint64_t>(is_continuation(bytes[i])) << i;
  }
  return found;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET Characters find_characters_avx2(const char* bytes) {
  Characters found;
  for (unsigned at = 0; at < 64; at += 32) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + at));
    const __m256i above = _mm256_sub_epi8(here, _mm256_set1_epi8(static_cast<char>(0xc2)));
    const __m256i lead = _mm256_cmpeq_epi8(_mm256_min_epu8(above, _mm256_set1_epi8(0xf4 - 0xc2)), above);
    const __m256i continued = _mm256_cmpgt_epi8(_mm256_set1_epi8(-64), here);
    found.leads |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(lead))) << at;
    found.continuations |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(continued))) << at;
  }
  return found;
}
#endif

// How many bytes of the text's beginning are valid text, up to kTextBytes at least.
struct Valid {
  size_t bytes = 0;
  bool cut = false;  // more of the text might be
};
Valid valid_text(std::string_view text) {
  Valid valid;
  while (valid.bytes < kTextBytes) {
    const Utf8Character next = read_utf8(text.substr(valid.bytes));
    if (next.size == 0 || is_control(next.character)) {
      valid.cut = next.cut;
      break;
    }
    valid.bytes += next.size;
  }
  return valid;
}

// Tags (U+E0020 to U+E007E) repeat ASCII. One alone was put between letters; several are a text that nobody sees.
constexpr size_t kTagBytes = 4;
bool is_tag(uint32_t character) { return character >= 0xe0020 && character <= 0xe007e; }

// What stands before a character, that much of it or all.
constexpr size_t kBeforeBytes = kTextBytes + kMaxUtf8Bytes;
bool ends_valid(std::string_view before) {
  // The first character may be cut.
  size_t first = 0;
  while (first < before.size() && first < kMaxUtf8Bytes && is_continuation(before[first])) ++first;
  size_t at = first;
  while (at < before.size()) {
    const Utf8Character next = read_utf8(before.substr(at));
    if (next.size == 0 || is_control(next.character)) return false;
    at += next.size;
  }
  return before.size() - first >= kTextBytes || before.size() < kBeforeBytes;
}

}  // namespace

// First bytes of characters behind which there is a further one, or nothing yet.
const Mask& UnicodeDecoder::find(const TextBlock& block, Mask& some) const {
  auto* find = find_characters;
#if GATEHOUSE_AVX2
  if (has_avx2()) find = find_characters_avx2;
#endif
  const Mask& above = block[Sign::above];
  const std::string_view bytes = block.bytes();
  some.size = bytes.size();
  for (size_t i = 0; i < some.word_count(); ++i) {
    some.words[i] = 0;
    if (above.words[i] == 0) continue;
    const std::string_view here = bytes.substr(i * 64, 64);
    char padded[64] = {};
    if (here.size() < 64) std::copy(here.begin(), here.end(), padded);
    const Characters found = find(here.size() < 64 ? padded : here.data());
    const bool last = i * 64 + 64 >= bytes.size();
    const bool continued = last || is_continuation(bytes[i * 64 + 64]);
    const uint64_t end = continued ? uint64_t{1} << (here.size() - 1) : 0;
    some.words[i] = found.leads & (found.continuations >> 1 | end);
  }
  return some;
}

// Noise has characters, but few that stand for another and are among valid ones.
bool UnicodeDecoder::may_begin(std::string_view text, size_t at) const {
  const Utf8Character read = read_utf8(text.substr(at));
  if (read.size == 0 || fold(read.character).fold == Fold::stays) return false;
  const size_t before = std::min(at, kBeforeBytes);
  if (ends_valid(text.substr(at - before, before))) return true;
  const Valid after = valid_text(text.substr(at + read.size));
  return after.bytes >= kTextBytes || after.cut;
}

EscapeKind UnicodeDecoder::read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const {
  const Utf8Character read = read_utf8(text);
  if (read.cut && !nothing_more) return EscapeKind::cut;
  if (read.size == 0) return EscapeKind::none;
  const Folded folded = fold(read.character);
  if (folded.fold == Fold::stays) return EscapeKind::none;
  if (!text_before(position)) {
    const Valid after = valid_text(text.substr(read.size));
    if (after.cut && !nothing_more) return EscapeKind::cut;
    if (after.bytes < kTextBytes && !after.cut) return EscapeKind::none;
  }
  escape.used = read.size;
  if (is_tag(read.character)) {
    const Utf8Character next = read_utf8(text.substr(read.size));
    if (next.cut && !nothing_more) return EscapeKind::cut;
    if (is_tag(next.character) || tag_before(position)) escape.add(static_cast<char>(read.character & 0x7f));
    return EscapeKind::complete;
  }
  for (const char c : folded.text) escape.add(c);
  return EscapeKind::complete;
}

bool UnicodeDecoder::tag_before(uint64_t position) const {
  char before[kTagBytes];
  if (position < stretches().known() + kTagBytes) return false;
  for (size_t i = 0; i < kTagBytes; ++i) before[i] = stretches().at(position - kTagBytes + i);
  return is_tag(read_utf8({before, kTagBytes}).character);
}

bool UnicodeDecoder::text_before(uint64_t position) const {
  char before[kBeforeBytes];
  const uint64_t known = stretches().known();
  const size_t size = std::min<uint64_t>(sizeof before, position - std::min(position, known));
  for (size_t i = 0; i < size; ++i) before[i] = stretches().at(position - size + i);
  return ends_valid({before, size});
}

}  // namespace gatehouse::dlp
