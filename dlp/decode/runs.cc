#include "dlp/decode/runs.h"

#include <algorithm>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

bool is_line_end(char c) { return c == '\n' || c == '\r'; }
bool is_gap(char c) { return is_line_end(c) || c == ' ' || c == '\t'; }
// In front of a line.
bool is_quoting(char c) { return c == '>' || c == '|' || c == '#' || c == '*' || c == ';' || c == '%'; }

// Where kMinRunBytes members in a row begin. (The words behind it take part, so it goes backwards.)
void find_starts_plain(const uint64_t* words, size_t count, uint64_t* starts) {
  uint64_t one = 0, two = 0, four = 0, eight = 0;  // of the next word: so many in a row
  for (size_t i = count; i > 0; --i) {
    const auto in_a_row = [](uint64_t here, uint64_t& next, int n) {
      const uint64_t twice = here & (here >> n | next << (64 - n));
      next = here;
      return twice;
    };
    uint64_t bits = words[i - 1];
    bits = in_a_row(bits, one, 1);
    bits = in_a_row(bits, two, 2);
    bits = in_a_row(bits, four, 4);
    starts[i - 1] = in_a_row(bits, eight, 8);
  }
}

#if GATEHOUSE_AVX2
template <int n>
[[gnu::always_inline]] GATEHOUSE_AVX512_TARGET inline __m512i in_a_row_avx512(__m512i here, __m512i& next) {
  const __m512i ahead = _mm512_shrdi_epi64(here, _mm512_maskz_alignr_epi64(0xff, next, here, 1), n);
  next = here;
  return _mm512_and_si512(here, ahead);
}

GATEHOUSE_AVX512_TARGET void find_starts_avx512(const uint64_t* words, size_t count, uint64_t* starts) {
  static_assert(kMinRunBytes == 16);
  constexpr size_t kLanes = 8;
  __m512i one = _mm512_setzero_si512(), two = one, four = one, eight = one;
  for (size_t i = (count + kLanes - 1) / kLanes * kLanes; i > 0; i -= kLanes) {
    const auto lanes = static_cast<__mmask8>(0xff >> (i > count ? i - count : 0));
    __m512i bits = _mm512_maskz_loadu_epi64(lanes, words + i - kLanes);
    bits = in_a_row_avx512<1>(bits, one);
    bits = in_a_row_avx512<2>(bits, two);
    bits = in_a_row_avx512<4>(bits, four);
    _mm512_mask_storeu_epi64(starts + i - kLanes, lanes, in_a_row_avx512<8>(bits, eight));
  }
}
#endif

void find_starts(const Mask& mask, Mask& starts) {
  auto* find = find_starts_plain;
#if GATEHOUSE_AVX2
  if (has_avx512()) find = find_starts_avx512;
#endif
  starts.size = mask.size;
  find(mask.words.data(), mask.word_count(), starts.words.data());
}

// Where the run begins that ends with the mask and is too short; its size, if there is none.
size_t find_short_run(const Mask& mask) {
  size_t begin = mask.size;
  while (begin > 0 && mask.at(begin - 1)) --begin;
  return begin;
}

}  // namespace

bool holds_run(const Mask& mask) {
  Mask starts;
  find_starts(mask, starts);
  return starts.find(0) < starts.size;
}

void RunFinder::write(std::string_view bytes, uint64_t origin) {
  while (!bytes.empty()) {
    const std::string_view now = bytes.substr(0, kMaskedBytes);
    Mask mask;
    find_members(alphabet_, now, mask);
    take(now, origin, mask);
    origin += now.size();
    bytes.remove_prefix(now.size());
  }
}

void RunFinder::take(std::string_view bytes, uint64_t origin, const Mask& mask) {
  size_t at = 0;
  if (state_ == State::inside) {
    at = take_line(bytes, origin, mask, 0);
  } else if (short_size_ > 0) {
    at = continue_short(bytes, origin, mask);
  }
  Mask starts;
  starts.size = 0;  // not known yet
  while (at < bytes.size()) {
    if (state_ == State::gap) {
      at = cross_gap(bytes, origin, mask, at);
      continue;
    }
    if (starts.size == 0) find_starts(mask, starts);
    const size_t start = starts.find(at);
    if (start == bytes.size()) {
      const size_t rest = std::max(at, find_short_run(mask));
      keep_short(bytes.substr(rest), origin + rest);
      return;
    }
    sink_.begin(origin + start);
    at = take_line(bytes, origin, mask, start);
  }
}

// A run that was too short when the last bytes ended goes on, or ends here.
size_t RunFinder::continue_short(std::string_view bytes, uint64_t origin, const Mask& mask) {
  const size_t end = mask.find_not(0);
  if (short_size_ + end < kMinRunBytes) {
    keep_short(bytes.substr(0, end), origin);
    if (end < bytes.size()) over();
    return end;
  }
  if (state_ == State::outside) sink_.begin(short_origin_);
  sink_.chars({short_, short_size_}, short_origin_);
  short_size_ = 0;
  return take_line(bytes, origin, mask, 0);
}

// Behind a line: more white space, or the line that continues it.
size_t RunFinder::cross_gap(std::string_view bytes, uint64_t origin, const Mask& mask, size_t at) {
  while (at < bytes.size() && gap_bytes_ <= kMaxGapBytes &&
         (is_gap(bytes[at]) || (gap_has_line_end_ && is_quoting(bytes[at])))) {
    gap_has_line_end_ |= is_line_end(bytes[at]);
    ++gap_bytes_;
    ++at;
  }
  if (at == bytes.size()) return at;
  const size_t end = gap_bytes_ > kMaxGapBytes ? at : mask.find_not(at);
  if (end - at >= kMinRunBytes) return take_line(bytes, origin, mask, at);
  keep_short(bytes.substr(at, end - at), origin + at);
  if (end < bytes.size()) over();
  return end;
}

size_t RunFinder::take_line(std::string_view bytes, uint64_t origin, const Mask& mask, size_t at) {
  const size_t end = mask.find_not(at);
  if (end > at) sink_.chars(bytes.substr(at, end - at), origin + at);
  state_ = end == bytes.size() ? State::inside : State::gap;
  gap_bytes_ = 0;
  gap_has_line_end_ = false;
  return end;
}

void RunFinder::keep_short(std::string_view chars, uint64_t origin) {
  if (short_size_ == 0) short_origin_ = origin;
  std::memcpy(short_ + short_size_, chars.data(), chars.size());
  short_size_ = static_cast<uint8_t>(short_size_ + chars.size());
}

// What is held is the last line of a run, or nothing.
void RunFinder::over() {
  if (state_ != State::outside) {
    if (short_size_ > 0) sink_.chars({short_, short_size_}, short_origin_);
    sink_.over();
  }
  short_size_ = 0;
  state_ = State::outside;
}

void RunFinder::boundary() { over(); }

}  // namespace gatehouse::dlp
