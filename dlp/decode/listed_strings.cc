#include "dlp/decode/listed_strings.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMinQuotes = 4;  // of two strings
// Between two strings; and what no words have there.
constexpr ByteClass kGapClass(" \t\r\n,:;=()[]{}<>+-.&|~/\\$_0-9A-Za-z#*@!?%");
constexpr ByteClass kStructureClass("\r\n,:;=()[]{}<>+&|~");
// So many changes of case or to digits and back, and one in so many bytes, are none of words.
constexpr size_t kMinChanges = 3;
constexpr size_t kMaxBytesPerChange = 6;
// Of strings as long as words, what changes from one to the next does not count.
constexpr size_t kMinWordBytes = 4;
// So much of what stands in front is passed on too; and behind so many bytes of words the row is as it was.
constexpr size_t kMaxBytesInFront = 32;
constexpr size_t kMaxPlainBytes = 48;

// Of a character, two bits: neither, lower case, upper case, a digit.
constexpr std::array<uint8_t, 256> kKinds = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t c = 'a'; c <= 'z'; ++c) kinds[c] = 1;
  for (size_t c = 'A'; c <= 'Z'; ++c) kinds[c] = 2;
  for (size_t c = '0'; c <= '9'; ++c) kinds[c] = 3;
  return kinds;
}();
// Whether the last of three kinds is a change as words do not have them: a single capital begins one.
constexpr std::array<uint8_t, 64> kChanges = [] {
  std::array<uint8_t, 64> changes{};
  for (size_t kinds = 0; kinds < 64; ++kinds) {
    const size_t first = kinds >> 4, second = kinds >> 2 & 3, third = kinds & 3;
    const bool word = second == 2 && third == 1 && first != 2;
    changes[kinds] = second != 0 && third != 0 && second != third && !word ? 1 : 0;
  }
  return changes;
}();

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
constexpr bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }

enum class Gap {
  none,
  value,  // between two values, perhaps with the second one's key
  key,    // behind a key
};

// Of a character between two strings.
enum : uint8_t { kInGap = 1, kStructure = 2, kQuote = 4 };
constexpr std::array<uint8_t, 256> kGapSigns = [] {
  std::array<uint8_t, 256> signs{};
  for (size_t c = 0; c < 256; ++c) {
    const char sign = static_cast<char>(c);
    signs[c] = static_cast<uint8_t>((kGapClass.holds(sign) ? kInGap : 0) |
                                    (kStructureClass.holds(sign) ? kStructure : 0) | (is_quote(sign) ? kQuote : 0));
  }
  return signs;
}();

// Behind the string that begins at `at`, if it is empty, or a key that is no token.
bool skip_string(std::string_view text, size_t& at) {
  const size_t end = text.find(text[at], at + 1);
  if (end == text.npos) return false;
  size_t behind = end + 1;
  while (behind < text.size() && is_space(text[behind])) ++behind;
  if (end > at + 1 && (behind == text.size() || (text[behind] != ':' && text[behind] != '='))) return false;
  at = end;
  return true;
}

// Of all of the characters from `at` on, but those in strings; 0: something there is nothing that stands in a gap.
unsigned gap_signs_from(std::string_view text, size_t at) {
  unsigned structure = 0;
  for (; at < text.size(); ++at) {
    const unsigned signs = kGapSigns[static_cast<uint8_t>(text[at])];
    if ((signs & kInGap) == 0 && ((signs & kQuote) == 0 || !skip_string(text, at))) return 0;
    structure |= signs & kStructure;
  }
  return structure | kInGap;
}

#if GATEHOUSE_AVX2
alignas(64) constexpr std::array<uint8_t, 128> kAsciiGapSigns = [] {
  std::array<uint8_t, 128> signs{};
  std::copy_n(kGapSigns.begin(), signs.size(), signs.begin());
  return signs;
}();

GATEHOUSE_AVX512_TARGET unsigned gap_signs_avx512(std::string_view text, size_t from) {
  uint64_t structure = 0;
  for (size_t at = from; at < text.size(); at += 64) {
    const __mmask64 within = ~uint64_t{0} >> (64 - std::min<size_t>(64, text.size() - at));
    const __m512i in = _mm512_maskz_loadu_epi8(within, text.data() + at);
    const __m512i signs =
        _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(in), _mm512_load_si512(kAsciiGapSigns.data()), in,
                                       _mm512_load_si512(kAsciiGapSigns.data() + 64));
    if (_mm512_test_epi8_mask(signs, _mm512_set1_epi8(kQuote)) != 0) return gap_signs_from(text, from);
    if ((within & _mm512_testn_epi8_mask(signs, _mm512_set1_epi8(kInGap))) != 0) return 0;
    structure |= _mm512_test_epi8_mask(signs, _mm512_set1_epi8(kStructure));
  }
  return structure != 0 ? unsigned{kInGap | kStructure} : unsigned{kInGap};
}
#endif

unsigned gap_signs(std::string_view text, size_t at) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return gap_signs_avx512(text, at);
#endif
  return gap_signs_from(text, at);
}

Gap gap_of(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && is_space(text[at])) ++at;
  if (at == text.size()) return Gap::value;
  const Gap gap = text[at] == ':' || text[at] == '=' ? Gap::key : Gap::value;
  const unsigned signs = gap_signs(text, at);
  if (signs == 0) return Gap::none;
  const bool lines = text.substr(0, at).find('\n') != text.npos;
  return lines || (signs & kStructure) != 0 ? gap : Gap::none;
}

// Where strings end, with a quote or, at the block's end, with nothing yet: behind a quote, a run of the class of
// tokens carries over to what ends it. Of the bits behind the block's end, the first one is true.
using Ends = std::array<uint64_t, kMaskWords + 8>;

// In which of the words there are some at quotes, as bits.
uint64_t find_ends_plain(const TextBlock& block, uint64_t behind_quote, uint64_t carry, Ends& ends) {
  const Mask& quotes = block[Sign::quote];
  uint64_t words = 0;
  size_t i = 0;
  for (; i < quotes.word_count(); ++i) {
    const uint64_t here = quotes.words[i];
    const uint64_t token = block[Sign::token].words[i] | block[Sign::above].words[i];
    uint64_t sum = 0;
    const bool over = __builtin_add_overflow(token, (here << 1 | behind_quote) & token, &sum);
    carry = __builtin_add_overflow(sum, carry, &sum) || over ? 1 : 0;
    behind_quote = here >> 63;
    ends[i] = sum & ~token;
    if ((ends[i] & here) != 0) words |= uint64_t{1} << i;
  }
  ends[i] = carry;
  return words;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX512_TARGET uint64_t find_ends_avx512(const TextBlock& block, uint64_t behind_quote, uint64_t carry,
                                                  Ends& ends) {
  constexpr size_t kLanes = 8;
  const size_t count = block[Sign::quote].word_count();
  const __m512i ones = _mm512_set1_epi64(-1);
  __m512i last = _mm512_set1_epi64(static_cast<long long>(behind_quote << 63));
  auto carried = static_cast<unsigned>(carry);
  uint64_t words = 0;
  size_t i = 0;
  for (; i < count; i += kLanes) {
    const auto lanes = static_cast<__mmask8>(0xff >> (kLanes - std::min(kLanes, count - i)));
    const __m512i here = _mm512_maskz_loadu_epi64(lanes, block[Sign::quote].words.data() + i);
    const __m512i token = _mm512_or_si512(_mm512_maskz_loadu_epi64(lanes, block[Sign::token].words.data() + i),
                                          _mm512_maskz_loadu_epi64(lanes, block[Sign::above].words.data() + i));
    const __m512i behind = _mm512_shldi_epi64(here, _mm512_maskz_alignr_epi64(0xff, here, last, 7), 1);
    last = here;
    const __m512i sum = _mm512_add_epi64(token, _mm512_and_si512(behind, token));
    // A carry goes into the next word, and on through those that are full.
    const unsigned over = _mm512_cmplt_epu64_mask(sum, token);
    const unsigned full = _mm512_cmpeq_epi64_mask(sum, ones);
    const unsigned into = over * 2 + carried + full;
    carried = into >> 8;
    const __m512i all = _mm512_mask_sub_epi64(sum, static_cast<__mmask8>(into ^ full), sum, ones);
    const __m512i found = _mm512_andnot_si512(token, all);
    _mm512_storeu_si512(ends.data() + i, found);
    words |= static_cast<uint64_t>(_mm512_test_epi64_mask(found, here)) << i;
  }
  if (i == count) ends[i] = carried;
  return words;
}
#endif

uint64_t find_ends(const TextBlock& block, bool behind_quote, bool carry, Ends& ends) {
  auto* find = find_ends_plain;
#if GATEHOUSE_AVX2
  if (has_avx512()) find = find_ends_avx512;
#endif
  return find(block, behind_quote ? 1 : 0, carry ? 1 : 0, ends);
}

// The last member before `end`; `end` if there is none.
size_t find_last(const Mask& mask, size_t end) {
  size_t word = end / 64;
  uint64_t bits = end % 64 != 0 ? mask.words[word] & ((uint64_t{1} << end % 64) - 1) : 0;
  while (bits == 0) {
    if (word == 0) return end;
    bits = mask.words[--word];
  }
  return word * 64 + static_cast<size_t>(std::bit_width(bits)) - 1;
}

}  // namespace

void ListedStringsDecoder::take(const TextBlock& block) {
  bytes_ = block.bytes();
  copies_ = host_.ever_redundant(kListedStrings);
  if (!block.has(Sign::quote) && !in_token_ && !ends_in_quote_) return leave();
  const Mask& quotes = block[Sign::quote];
  Ends ends;
  for (uint64_t words = find_ends(block, ends_in_quote_, in_token_, ends); words != 0; words &= words - 1) {
    const auto word = static_cast<size_t>(std::countr_zero(words));
    for (uint64_t bits = ends[word] & quotes.words[word]; bits != 0; bits &= bits - 1) {
      const size_t end = word * 64 + static_cast<size_t>(std::countr_zero(bits));
      const size_t begin = find_last(quotes, end);
      const char sign = begin < end ? bytes_[begin] : quote_sign_;
      if (bytes_[end] == sign) read_string((begin < end ? position_ + begin : quote_) + 1, position_ + end);
    }
  }
  if (const size_t last = find_last(quotes, quotes.size); last < quotes.size) {
    quote_ = position_ + last;
    quote_sign_ = bytes_[last];
    any_quote_ = true;
  }
  in_token_ = (ends[quotes.size / 64] >> quotes.size % 64 & 1) != 0;
  ends_in_quote_ = quotes.at(quotes.size - 1);
  leave();
}

bool ListedStringsDecoder::wants(const TextBlock& block) const {
  const Mask& quotes = block[Sign::quote];
  size_t count = 0;
  for (size_t i = 0; i < quotes.word_count(); ++i) count += static_cast<size_t>(std::popcount(quotes.words[i]));
  return count >= kMinQuotes;
}

// Between quotes before `begin` and at `end`.
void ListedStringsDecoder::read_string(uint64_t begin, uint64_t end) {
  if (any_string_) {
    // Their quote in common, it is what stands between two.
    if (begin - 1 == string_end_) return;
    const uint64_t gap_begin = string_end_ + 1;
    const bool near = begin - 1 - gap_begin <= kMaxListGapBytes && end - begin <= kMaxLastListedBytes && !last_is_long_;
    const Gap gap = near ? gap_of(text(gap_begin, begin - 1)) : Gap::none;
    if (gap == Gap::value || (gap == Gap::none && held_ > 0)) add_last();
    if (gap == Gap::none) finish_row();
  }
  keep_string(begin, end);
}

void ListedStringsDecoder::keep_string(uint64_t begin, uint64_t end) {
  any_string_ = true;
  added_ = false;
  string_end_ = end;
  last_is_long_ = end - begin > kMaxListedBytes;
  if (held_ == strings_.size() - 1) drop_first();
  String& string = nth(held_);
  string.origin = begin;
  string.size = std::min(end - begin, kMaxListedBytes);
  if (begin >= position_ && begin - position_ + kMaxListedBytes <= bytes_.size()) {
    std::memcpy(string.bytes.data(), bytes_.data() + (begin - position_), kMaxListedBytes);
    return;
  }
  const size_t known = begin < position_ ? std::min(head_size_, string.size) : 0;
  std::memcpy(string.bytes.data(), head_.data(), known);
  if (known == string.size) return;
  std::memcpy(string.bytes.data() + known, bytes_.data() + (begin + known - position_), string.size - known);
}

void ListedStringsDecoder::drop_first() {
  if (recent_ == held_) {
    recent_bytes_ -= nth(0).size;
    recent_changes_ -= nth(0).changes;
    --recent_;
  }
  first_held_ = (first_held_ + 1) % strings_.size();
  --held_;
}

// Up to kMaxListGapBytes that end in the current bytes and begin there or not so far before.
std::string_view ListedStringsDecoder::text(uint64_t begin, uint64_t end) {
  if (begin >= position_) return bytes_.substr(begin - position_, end - begin);
  const size_t before = position_ - begin;
  assert(before <= history_size_ && end - begin <= joint_.size());
  const size_t size = end - begin;
  const size_t kept = std::min(before, size);
  std::copy_n(history_.begin() + static_cast<ptrdiff_t>(history_size_ - before), kept, joint_.begin());
  std::copy_n(bytes_.begin(), size - kept, joint_.begin() + static_cast<ptrdiff_t>(kept));
  return {joint_.data(), size};
}

void ListedStringsDecoder::leave() {
  const uint64_t end = position_ + bytes_.size();
  if (any_quote_) {
    if (quote_ >= position_) head_size_ = 0;
    const uint64_t from = quote_ + 1 + head_size_;
    if (head_size_ < head_.size() && from < end) {
      const size_t more = std::min<size_t>(head_.size() - head_size_, end - from);
      std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(from - position_), more,
                  head_.begin() + static_cast<ptrdiff_t>(head_size_));
      head_size_ += more;
    }
  }
  if (any_string_ && end - string_end_ <= kHistoryBytes) {
    const size_t fresh = std::min(bytes_.size(), kHistoryBytes);
    const size_t kept = std::min(history_size_, kHistoryBytes - fresh);
    std::copy_n(history_.begin() + static_cast<ptrdiff_t>(history_size_ - kept), kept, history_.begin());
    std::copy_n(bytes_.end() - static_cast<ptrdiff_t>(fresh), fresh, history_.begin() + static_cast<ptrdiff_t>(kept));
    history_size_ = kept + fresh;
  } else {
    history_size_ = 0;
  }
  position_ = end;
  bytes_ = {};
}

void ListedStringsDecoder::add_last() {
  if (added_) return;
  added_ = true;
  String& string = nth(held_);
  count_changes(string);
  if (string.digits && digit_bytes_ > 0 && digit_bytes_ + string.size >= kMaxListedDigitsBytes) {
    const String last = string;
    finish_row();
    nth(0) = last;
  }
  const String& last = nth(held_++);
  digit_bytes_ = last.digits ? digit_bytes_ + last.size : 0;
  if (looks_random(last)) {
    plain_bytes_ = 0;
    if (!open_ && held_ > 1) {
      // What merely was copied, all of it, is joined below.
      const size_t first = first_to_pass_on();
      const uint64_t end = last.origin + last.size;
      if (!copies_ || !host_.redundant(kListedStrings, nth(first).origin, end)) return open_row(first);
    }
  }
  if (!open_) return;
  put(last);
  plain_bytes_ += last.size;
  if (plain_bytes_ > kMaxPlainBytes) open_ = false;
}

void ListedStringsDecoder::count_changes(String& string) {
  string.changes = 0;
  string.digits = true;
  if (held_ > 0 && string.size >= kMinWordBytes && nth(held_ - 1).size >= kMinWordBytes) kinds_ = 0;
  for (size_t i = 0; i < string.size; ++i) {
    const unsigned kind = kKinds[static_cast<uint8_t>(string.bytes[i])];
    kinds_ = (kinds_ << 2 | kind) & 63;
    string.changes += kChanges[kinds_];
    string.digits &= kind == 3;
  }
}

// Of the row's last strings, as many as have kMinListBytes.
bool ListedStringsDecoder::looks_random(const String& last) {
  recent_bytes_ += last.size;
  recent_changes_ += last.changes;
  ++recent_;
  while (true) {
    const String& first = nth(held_ - recent_);
    if (recent_bytes_ - first.size < kMinListBytes) break;
    recent_bytes_ -= first.size;
    recent_changes_ -= first.changes;
    --recent_;
  }
  return recent_bytes_ >= kMinListBytes && recent_changes_ >= kMinChanges &&
         recent_changes_ * kMaxBytesPerChange >= recent_bytes_;
}

size_t ListedStringsDecoder::first_to_pass_on() {
  size_t first = held_ - recent_;
  for (size_t bytes = 0; first > 0 && bytes + nth(first - 1).size <= kMaxBytesInFront; --first) {
    bytes += nth(first - 1).size;
  }
  return first;
}

void ListedStringsDecoder::open_row(size_t first) {
  open_ = true;
  const uint64_t origin = nth(first).origin;
  if (output_ != nullptr) {
    output_->separate(origin);
  } else {
    output_ = host_.output(kListedStrings);
    if (output_ != nullptr) output_->begin({origin, {}, {}, {}});
  }
  for (size_t i = first; i < held_; ++i) put(nth(i));
}

void ListedStringsDecoder::put(const String& string) {
  if (output_ == nullptr) return;
  output_->from(string.origin, true);
  output_->write({string.bytes.data(), string.size});
}

void ListedStringsDecoder::finish_row() {
  held_ = first_held_ = digit_bytes_ = 0;
  recent_ = recent_bytes_ = recent_changes_ = 0;
  kinds_ = 0;
  open_ = false;
}

void ListedStringsDecoder::check() {
  if (held_ > 0) add_last();
}

void ListedStringsDecoder::skip(uint64_t bytes) {
  check();
  finish_row();
  any_quote_ = any_string_ = in_token_ = ends_in_quote_ = false;
  history_size_ = head_size_ = 0;
  position_ += bytes;
}

void ListedStringsDecoder::boundary() {
  skip(0);
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
}

void ListedStringsDecoder::end() {
  boundary();
  position_ = 0;
}

}  // namespace gatehouse::dlp
