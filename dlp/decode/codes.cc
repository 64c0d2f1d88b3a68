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
  uint64_t digits_before = hex_before_ ? 1 : 0;
  for (size_t i = 0; i < letters.word_count(); ++i) {
    const uint64_t here = letters.words[i];
    const auto back = [&](int n) { return here << n | letters_before_ >> (64 - n); };
    const size_t used = std::min<size_t>(64, bytes.size() - i * 64);
    const uint64_t within = ~uint64_t{0} >> (64 - used);
    const uint64_t long_words = back(1) & back(2) & back(3) & back(4) & back(5);
    ends.words[i] = ~here & within & (digits.words[i] << 1 | digits_before) & ~long_words;
    letters_before_ = used == 64 ? here : here << (64 - used) | letters_before_ >> used;
    digits_before = digits.words[i] >> (used - 1) & 1;
  }
  hex_before_ = digits_before != 0;
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
