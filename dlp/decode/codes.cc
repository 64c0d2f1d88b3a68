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

// Behind which letters there ends a word that is short and has a digit last; in words of 64, and the one before them.
void find_ends_plain(const uint64_t* letters, const uint64_t* digits, size_t count, uint64_t letters_before,
                     uint64_t digit_before, uint64_t* ends) {
  for (size_t i = 0; i < count; ++i) {
    const uint64_t here = letters[i];
    const auto back = [&](int n) { return here << n | letters_before >> (64 - n); };
    const uint64_t long_words = back(1) & back(2) & back(3) & back(4) & back(5);
    ends[i] = ~here & (digits[i] << 1 | digit_before) & ~long_words;
    letters_before = here;
    digit_before = digits[i] >> 63;
  }
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX512_TARGET void find_ends_avx512(const uint64_t* letters, const uint64_t* digits, size_t count,
                                              uint64_t letters_before, uint64_t digit_before, uint64_t* ends) {
  constexpr size_t kLanes = 8;
  // Of eight words, the last one is what is before the next.
  __m512i last_letters = _mm512_set1_epi64(static_cast<long long>(letters_before));
  __m512i last_digits = _mm512_set1_epi64(static_cast<long long>(digit_before << 63));
  for (size_t i = 0; i < count; i += kLanes) {
    const auto lanes = static_cast<__mmask8>(0xff >> (kLanes - std::min(kLanes, count - i)));
    const __m512i here = _mm512_maskz_loadu_epi64(lanes, letters + i);
    const __m512i digit = _mm512_maskz_loadu_epi64(lanes, digits + i);
    const __m512i before = _mm512_maskz_alignr_epi64(0xff, here, last_letters, 7);
    const __m512i behind = _mm512_shldi_epi64(digit, _mm512_maskz_alignr_epi64(0xff, digit, last_digits, 7), 1);
    const __m512i two = _mm512_and_si512(_mm512_shldi_epi64(here, before, 1), _mm512_shldi_epi64(here, before, 2));
    const __m512i four = _mm512_and_si512(_mm512_shldi_epi64(here, before, 3), _mm512_shldi_epi64(here, before, 4));
    const __m512i five = _mm512_and_si512(_mm512_and_si512(two, four), _mm512_shldi_epi64(here, before, 5));
    _mm512_mask_storeu_epi64(ends + i, lanes, behind & ~here & ~five);
    last_letters = here;
    last_digits = digit;
  }
}
#endif

void find_ends(const uint64_t* letters, const uint64_t* digits, size_t count, uint64_t letters_before,
               uint64_t digit_before, uint64_t* ends) {
  auto* find = find_ends_plain;
#if GATEHOUSE_AVX2
  if (has_avx512()) find = find_ends_avx512;
#endif
  find(letters, digits, count, letters_before, digit_before, ends);
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

// Numbers are noticed when kMinCodes short words that end in a digit have stood close together.
void CodesDecoder::scan(const TextBlock& block) {
  const std::string_view bytes = block.bytes();
  const Mask& letters = block[Sign::word];
  const Mask& digits = block[Sign::hex];
  Mask ends;
  ends.size = bytes.size();
  const size_t count_of_words = letters.word_count();
  find_ends(letters.words.data(), digits.words.data(), count_of_words, letters_before_, hex_before_ ? 1 : 0,
            ends.words.data());
  const size_t used = bytes.size() - (count_of_words - 1) * 64;  // of the last word
  const uint64_t last = letters.words[count_of_words - 1];
  const uint64_t before_last = count_of_words > 1 ? letters.words[count_of_words - 2] : letters_before_;
  if (used < 64) ends.words[count_of_words - 1] &= (uint64_t{1} << used) - 1;
  letters_before_ = used == 64 ? last : last << (64 - used) | before_last >> used;
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

// Whether so many of the ends, and of those before, may stand so close together as numbers: in three words, then.
bool CodesDecoder::may_be_close(const Mask& ends) const {
  static_assert(kMaxCodesBytes + 1 <= 2 * 64 + 1);
  const auto is_near = [this](uint64_t end) { return position_ - end <= kMaxCodesBytes; };
  auto near = static_cast<int>(std::count_if(ends_.begin(), ends_.end(), is_near));
  int before = 0;
  bool close = false;
  for (size_t i = 0; i < ends.word_count(); ++i) {
    const int here = std::popcount(ends.words[i]);
    close |= near + before + here >= static_cast<int>(kMinCodes);
    near = i == 0 ? near : before;
    before = here;
  }
  return close;
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
  letters_before_ = 0;
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
