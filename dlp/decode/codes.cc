#include "dlp/decode/codes.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/hex.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr ByteClass kWordClass("0-9A-Za-z");
// Not what begins an escape of its own: %67, &#103;, \x67 are decoded as what they are.
constexpr ByteClass kGapClass(" \t\r\n,;:.|/(){}[]<>\"'`$+_-");
constexpr size_t kMaxWordBytes = 4;  // 0x67
// kMinCodes numbers fit into this, or their gaps are longer than kMaxCodeGapBytes on the average.
constexpr size_t kMaxCodesBytes = (kMinCodes - 1) * 11;

// At which of kEndsAtOnce positions the one `back` before is close; bit i for the i-th from `ends` on.
uint32_t close_ends_plain(const uint16_t* ends, size_t back) {
  uint32_t close = 0;
  for (size_t i = 0; i < CodesDecoder::kEndsAtOnce; ++i) {
    close |= static_cast<uint32_t>(static_cast<uint16_t>(ends[i] - *(ends + i - back)) <= kMaxCodesBytes) << i;
  }
  return close;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET uint32_t close_ends_avx2(const uint16_t* ends, size_t back) {
  const __m256i last = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends));
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends - back));
  const __m256i bytes = _mm256_sub_epi16(last, first);
  const __m256i close = _mm256_cmpeq_epi16(_mm256_min_epu16(bytes, _mm256_set1_epi16(kMaxCodesBytes)), bytes);
  const __m128i packed = _mm_packs_epi16(_mm256_castsi256_si128(close), _mm256_extracti128_si256(close, 1));
  return static_cast<uint32_t>(_mm_movemask_epi8(packed));
}
#endif

// Of the block before: its last 64 characters, as bits.
struct Before {
  uint64_t letters = 0;
  uint64_t others = 0;  // letters that no number has
  uint64_t digit = 0;   // the last one is
};

// Behind which letters there ends a word that is short, has a digit last and holds nothing but digits and an x.
void find_ends_plain(const TextBlock& block, Before before, uint64_t* ends) {
  const Mask& letters = block[Sign::word];
  const Mask& digits = block[Sign::hex];
  for (size_t i = 0; i < letters.word_count(); ++i) {
    const uint64_t here = letters.words[i];
    const uint64_t others = here & ~block[Sign::number].words[i];
    const auto letter = [&](int n) { return here << n | before.letters >> (64 - n); };
    const auto other = [&](int n) { return others << n | before.others >> (64 - n); };
    const uint64_t long_words = letter(1) & letter(2) & letter(3) & letter(4) & letter(5);
    const uint64_t no_numbers = other(2) | (letter(2) & (other(3) | (letter(3) & other(4))));
    ends[i] = ~here & (digits.words[i] << 1 | before.digit) & ~long_words & ~no_numbers;
    before = {here, others, digits.words[i] >> 63};
  }
}

// Whether so many of them, and of the `near` ones before, may stand so close together as numbers: in three words, then.
bool are_close_plain(const uint64_t* ends, size_t count, uint64_t near) {
  static_assert(kMaxCodesBytes + 1 <= 2 * 64 + 1);
  auto before = near;
  uint64_t before_that = 0;
  bool close = false;
  for (size_t i = 0; i < count; ++i) {
    const auto here = static_cast<uint64_t>(std::popcount(ends[i]));
    close |= before_that + before + here >= kMinCodes;
    before_that = before;
    before = here;
  }
  return close;
}

#if GATEHOUSE_AVX2
constexpr size_t kLanes = 8;

[[gnu::always_inline]] GATEHOUSE_AVX512_TARGET inline __mmask8 lanes_of(size_t rest) {
  return static_cast<__mmask8>(0xff >> (kLanes - std::min(kLanes, rest)));
}

GATEHOUSE_AVX512_TARGET void find_ends_avx512(const TextBlock& block, Before before, uint64_t* ends) {
  const size_t count = block[Sign::word].word_count();
  // Of eight words, the last one is what is before the next.
  __m512i last_letters = _mm512_set1_epi64(static_cast<long long>(before.letters));
  __m512i last_others = _mm512_set1_epi64(static_cast<long long>(before.others));
  __m512i last_digits = _mm512_set1_epi64(static_cast<long long>(before.digit << 63));
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask8 lanes = lanes_of(count - i);
    const __m512i here = _mm512_maskz_loadu_epi64(lanes, block[Sign::word].words.data() + i);
    const __m512i digit = _mm512_maskz_loadu_epi64(lanes, block[Sign::hex].words.data() + i);
    const __m512i others =
        _mm512_andnot_si512(_mm512_maskz_loadu_epi64(lanes, block[Sign::number].words.data() + i), here);
    const __m512i letters_before = _mm512_maskz_alignr_epi64(0xff, here, last_letters, 7);
    const __m512i others_before = _mm512_maskz_alignr_epi64(0xff, others, last_others, 7);
    const __m512i behind = _mm512_shldi_epi64(digit, _mm512_maskz_alignr_epi64(0xff, digit, last_digits, 7), 1);
    const __m512i second = _mm512_shldi_epi64(here, letters_before, 2);
    const __m512i third = _mm512_shldi_epi64(here, letters_before, 3);
    const __m512i long_words = _mm512_and_si512(
        _mm512_and_si512(_mm512_and_si512(second, third), _mm512_shldi_epi64(here, letters_before, 1)),
        _mm512_and_si512(_mm512_shldi_epi64(here, letters_before, 4), _mm512_shldi_epi64(here, letters_before, 5)));
    __m512i no_numbers = _mm512_and_si512(third, _mm512_shldi_epi64(others, others_before, 4));
    no_numbers = _mm512_and_si512(second, _mm512_or_si512(no_numbers, _mm512_shldi_epi64(others, others_before, 3)));
    no_numbers = _mm512_or_si512(no_numbers, _mm512_shldi_epi64(others, others_before, 2));
    const __m512i none = _mm512_or_si512(_mm512_or_si512(here, long_words), no_numbers);
    _mm512_mask_storeu_epi64(ends + i, lanes, _mm512_andnot_si512(none, behind));
    last_letters = here;
    last_others = others;
    last_digits = digit;
  }
}

GATEHOUSE_AVX512_TARGET bool are_close_avx512(const uint64_t* ends, size_t count, uint64_t near) {
  __m512i last = _mm512_maskz_set1_epi64(0x80, static_cast<long long>(near));
  unsigned close = 0;
  for (size_t i = 0; i < count; i += kLanes) {
    const __m512i bits = _mm512_maskz_loadu_epi64(lanes_of(count - i), ends + i);
    const __m512i here = _mm512_sad_epu8(_mm512_popcnt_epi8(bits), _mm512_setzero_si512());
    const __m512i all = _mm512_add_epi64(here, _mm512_add_epi64(_mm512_maskz_alignr_epi64(0xff, here, last, 7),
                                                                _mm512_maskz_alignr_epi64(0xff, here, last, 6)));
    close |= _mm512_cmpge_epu64_mask(all, _mm512_set1_epi64(kMinCodes));
    last = here;
  }
  return close != 0;
}
#endif

void find_ends(const TextBlock& block, const Before& before, uint64_t* ends) {
  auto* find = find_ends_plain;
#if GATEHOUSE_AVX2
  if (has_avx512()) find = find_ends_avx512;
#endif
  find(block, before, ends);
}

bool are_close(const uint64_t* ends, size_t count, uint64_t near) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return are_close_avx512(ends, count, near);
#endif
  return are_close_plain(ends, count, near);
}

uint32_t close_ends(const uint16_t* ends, size_t back) {
#if GATEHOUSE_AVX2
  if (has_avx2()) return close_ends_avx2(ends, back);
#endif
  return close_ends_plain(ends, back);
}

}  // namespace

void CodesDecoder::take(const TextBlock& block) {
  bytes_ = block.bytes();
  scan(block);
  if (active_) follow(position_ + bytes_.size());
  hex_.flush();
  decimal_.flush();
  const size_t fresh = std::min(bytes_.size(), kHistoryBytes);
  const size_t kept = std::min(history_size_, kHistoryBytes - fresh);
  std::memmove(history_, history_ + history_size_ - kept, kept);
  std::memcpy(history_ + kept, bytes_.data() + bytes_.size() - fresh, fresh);
  history_size_ = kept + fresh;
  position_ += bytes_.size();
  bytes_ = {};
}

// Behind each number but the last one there is something else.
bool CodesDecoder::wants(const TextBlock& block) const {
  const Mask& letters = block[Sign::word];
  const Mask& digits = block[Sign::hex];
  size_t ends = 1;
  uint64_t before = 0;
  for (size_t i = 0; i < letters.word_count(); ++i) {
    ends += static_cast<size_t>(std::popcount(~letters.words[i] & (digits.words[i] << 1 | before)));
    before = digits.words[i] >> 63;
  }
  return ends >= kMinCodes;
}

// Numbers are noticed when kMinCodes short words of digits have stood close together.
void CodesDecoder::scan(const TextBlock& block) {
  const std::string_view bytes = block.bytes();
  const Mask& letters = block[Sign::word];
  const Mask& digits = block[Sign::hex];
  Mask ends;
  ends.size = bytes.size();
  const size_t count_of_words = letters.word_count();
  find_ends(block, {letters_before_, others_before_, hex_before_ ? uint64_t{1} : 0}, ends.words.data());
  const size_t used = bytes.size() - (count_of_words - 1) * 64;  // of the last word
  if (used < 64) ends.words[count_of_words - 1] &= (uint64_t{1} << used) - 1;
  // The last 64 characters, with what is before.
  const auto last_of = [&](const auto& word, uint64_t before) {
    const uint64_t last = word(count_of_words - 1);
    if (used == 64) return last;
    return last << (64 - used) | (count_of_words > 1 ? word(count_of_words - 2) : before) >> used;
  };
  letters_before_ = last_of([&](size_t i) { return letters.words[i]; }, letters_before_);
  others_before_ = last_of([&](size_t i) { return letters.words[i] & ~block[Sign::number].words[i]; }, others_before_);
  hex_before_ = (digits.words[count_of_words - 1] >> (used - 1) & 1) != 0;
  if (!active_ && !may_be_close(ends)) return keep_ends(ends);
  std::array<uint16_t, kMaxPositions + kEndsAtOnce> positions;
  const size_t count = list_positions(ends.words.data(), letters.word_count(), positions.data());
  for (size_t next = active_ ? follow_to_next(positions, 0, count) : 0; next < count;) {
    next = find_close(positions, next, count);
    if (next == count) break;
    start(end_before(positions, next));
    ++next;
    if (active_) next = follow_to_next(positions, next, count);
  }
  const size_t kept = std::min(count, ends_.size());
  std::copy(ends_.begin() + static_cast<ptrdiff_t>(kept), ends_.end(), ends_.begin());
  for (size_t i = 0; i < kept; ++i) ends_[ends_.size() - kept + i] = position_ + positions[count - kept + i];
}

// Whether there may be numbers among the ends, and those before.
bool CodesDecoder::may_be_close(const Mask& ends) const {
  const auto is_near = [this](uint64_t end) { return position_ - end <= kMaxCodesBytes; };
  const auto near = static_cast<uint64_t>(std::count_if(ends_.begin(), ends_.end(), is_near));
  return are_close(ends.words.data(), ends.word_count(), near);
}

// The last ones, for what comes.
void CodesDecoder::keep_ends(const Mask& ends) {
  std::array<uint64_t, kMinCodes> latest;
  size_t kept = 0;
  for (size_t i = ends.word_count(); i > 0 && kept < latest.size(); --i) {
    for (uint64_t bits = ends.words[i - 1]; bits != 0 && kept < latest.size();) {
      const auto bit = static_cast<size_t>(std::bit_width(bits)) - 1;
      latest[kept++] = position_ + (i - 1) * 64 + bit;
      bits ^= uint64_t{1} << bit;
    }
  }
  std::copy(ends_.begin() + static_cast<ptrdiff_t>(kept), ends_.end(), ends_.begin());
  std::reverse_copy(latest.begin(), latest.begin() + static_cast<ptrdiff_t>(kept),
                    ends_.end() - static_cast<ptrdiff_t>(kept));
}

// Follows the numbers as far as the bytes go; the first of the ends, from `next` on, that is behind where they stop.
size_t CodesDecoder::follow_to_next(const Ends& ends, size_t next, size_t count) {
  follow(position_ + bytes_.size());
  if (active_) return count;
  while (next < count && position_ + ends[next] <= done_) ++next;
  return next;
}

// The first of the ends, from `next` on, that has as many as are needed close before it.
size_t CodesDecoder::find_close(const Ends& ends, size_t next, size_t count) const {
  for (; next < count; ++next) {
    if (next >= kMinCodes - 1) {
      const uint32_t close = close_ends(ends.data() + next, kMinCodes - 1);
      if (close == 0) {
        next += kEndsAtOnce - 1;
        continue;
      }
      next += static_cast<size_t>(std::countr_zero(close));
      if (next >= count) break;
    }
    const uint64_t first = end_before(ends, next);
    if (first > start_ && position_ + ends[next] - first <= kMaxCodesBytes) return next;
  }
  return count;
}

// Of the first number, if the last one ends there.
uint64_t CodesDecoder::end_before(const Ends& ends, size_t last) const {
  constexpr size_t kBack = kMinCodes - 1;
  return last >= kBack ? position_ + ends[last - kBack] : ends_[ends_.size() - kBack + last];
}

// The first number ends at `position`.
void CodesDecoder::start(uint64_t position) {
  uint64_t first = position;
  while (first > std::max(start_, done_) && position - first < kMaxWordBytes && kWordClass.holds(at(first - 1)))
    --first;
  if (first == position) return;
  active_ = true;
  done_ = first;
  gap_ = digits_ = 0;
  hex_value_ = decimal_value_ = 0;
  prefixed_ = false;
  is_decimal_ = true;
  hex_.open(first);
  decimal_.open(first);
}

void CodesDecoder::follow(uint64_t end) {
  while (active_ && done_ < end) {
    if (!read(at(done_))) return stop();
    ++done_;
  }
}

bool CodesDecoder::read(char c) {
  if (kWordClass.holds(c)) {
    gap_ = 0;
    if ((c | 0x20) == 'x' && !prefixed_ && hex_value_ == 0 && digits_ <= 1) {
      prefixed_ = true;
      digits_ = 0;
      decimal_.fail();
      return !hex_.failed();
    }
    if (!kHexClass.holds(c) || ++digits_ > 3) return false;
    hex_value_ = hex_value_ << 4 | hex_value(c);
    decimal_value_ = decimal_value_ * 10 + hex_value(c);
    is_decimal_ &= c <= '9';
    return true;
  }
  if (digits_ > 0 && !end_number()) return false;
  return kGapClass.holds(c) && ++gap_ <= kMaxCodeGapBytes;
}

bool CodesDecoder::end_number() {
  const bool hex = digits_ == 2 || (prefixed_ && digits_ == 1);
  if (hex) {
    hex_.add(static_cast<uint8_t>(hex_value_));
  } else {
    hex_.fail();
  }
  if (is_decimal_ && decimal_value_ < 256) {
    decimal_.add(static_cast<uint8_t>(decimal_value_));
  } else {
    decimal_.fail();
  }
  digits_ = 0;
  hex_value_ = decimal_value_ = 0;
  prefixed_ = false;
  is_decimal_ = true;
  return !hex_.failed() || !decimal_.failed();
}

void CodesDecoder::stop() {
  active_ = false;
  hex_.close();
  decimal_.close();
}

char CodesDecoder::at(uint64_t position) const {
  return position >= position_ ? bytes_[position - position_] : history_[history_size_ - (position_ - position)];
}

void CodesDecoder::skip(uint64_t bytes) {
  if (active_ && digits_ > 0) end_number();
  if (active_) stop();
  position_ += bytes;
  start_ = position_;
  letters_before_ = others_before_ = 0;
  hex_before_ = false;
  history_size_ = 0;
  ends_.fill(0);
}

void CodesDecoder::boundary() {
  skip(0);
  hex_.boundary();
  decimal_.boundary();
}

void CodesDecoder::end() {
  boundary();
  position_ = start_ = done_ = 0;
}

void CodesDecoder::Reading::open(uint64_t origin) {
  origin_ = origin;
  failed_ = false;
  count_ = held_size_ = 0;
}

void CodesDecoder::Reading::add(uint8_t byte) {
  if (failed_) return;
  if (held_size_ == held_.size()) flush();
  held_[held_size_++] = static_cast<char>(byte);
  if (++count_ != kMinCodes) return;
  if (output_ != nullptr) {
    output_->separate(origin_);
  } else {
    output_ = host_.output(kind_);
    if (output_ != nullptr) output_->begin({origin_, {}, {}, {}});
  }
}

void CodesDecoder::Reading::flush() {
  if (count_ < kMinCodes) return;
  if (output_ != nullptr && held_size_ > 0) output_->write({held_.data(), held_size_});
  held_size_ = 0;
}

void CodesDecoder::Reading::close() {
  flush();
  count_ = held_size_ = 0;
  failed_ = true;
}

void CodesDecoder::Reading::boundary() {
  close();
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
}

}  // namespace gatehouse::dlp
