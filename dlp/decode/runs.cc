#include "dlp/decode/runs.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gatehouse::dlp {
namespace {

bool is_line_end(char c) { return c == '\n' || c == '\r'; }
bool is_gap(char c) { return is_line_end(c) || c == ' ' || c == '\t'; }
// In front of a line.
bool is_quoting(char c) { return c == '>' || c == '|' || c == '#' || c == '*' || c == ';' || c == '%'; }

// Where the first run of kMinRunBytes members at or behind `from` begins; if there is none, where the shorter run
// begins that ends with the mask (its size, if there is none either).
size_t find_run(const Mask& mask, size_t from) {
  static_assert(kMinRunBytes == 16);
  size_t before = 0;  // members right before the current word
  uint64_t clip = ~uint64_t{0} << (from % 64);
  uint64_t last = 0;
  for (size_t word = from / 64; word < mask.word_count(); ++word) {
    const uint64_t bits = mask.words[word] & clip;
    clip = ~uint64_t{0};
    // Most words have none, nor the seam before them; their last members matter only in front of the next seam.
    const uint64_t seam = last >> (65 - kMinRunBytes) | (bits & ((1u << (kMinRunBytes - 1)) - 1)) << (kMinRunBytes - 1);
    last = bits;
    if ((starts_of_16(bits) | starts_of_16(seam)) == 0 && word + 1 < mask.word_count()) {
      before = static_cast<size_t>(std::countl_one(bits));
      continue;
    }
    const auto leading = static_cast<size_t>(std::countr_one(bits));
    if (before != 0 && before + leading >= kMinRunBytes) return word * 64 - before;
    const uint64_t starts = starts_of_16(bits);
    if (starts != 0) return word * 64 + static_cast<size_t>(std::countr_zero(starts));
    const size_t used = std::min<size_t>(64, mask.size - word * 64);
    if (bits == 0) {
      before = 0;
    } else if (leading >= used) {
      before += used;
    } else {
      before = static_cast<size_t>(std::countl_one(bits << (64 - used)));
    }
  }
  return mask.size - before;
}

}  // namespace

bool holds_run(const Mask& mask) {
  const size_t start = find_run(mask, 0);
  return mask.find_not(start) - start >= kMinRunBytes;
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
  while (at < bytes.size()) {
    if (state_ == State::gap) {
      at = cross_gap(bytes, origin, mask, at);
      continue;
    }
    const size_t start = find_run(mask, at);
    const size_t end = mask.find_not(start);
    if (end - start < kMinRunBytes) {
      keep_short(bytes.substr(start), origin + start);
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
