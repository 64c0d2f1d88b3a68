#include "dlp/decode/quoted_printable.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {

namespace {

constexpr size_t kMaxPaddingBytes = 8;  // blanks between '=' and the end of the line

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Not so of control characters: "=10" is more often an assignment than an escape.
bool worth_it(char character) {
  const auto byte = static_cast<uint8_t>(character);
  return byte >= 0x20 && byte != 0x7f;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Whether the '=' there may begin an escape, as far as `bytes` show.
bool begins_escape(std::string_view bytes, size_t at) {
  if (at + 2 >= bytes.size()) return true;
  const char first = bytes[at + 1], second = bytes[at + 2];
  if (first == '\n' || first == '\r') return true;
  if (hex_digit(first) >= 0) return hex_digit(second) >= 0;
  return is_blank(first) && (is_blank(second) || second == '\r' || second == '\n');
}

// In which words of a block there may be one, as bits.
uint64_t find_words_plain(const TextBlock& block) {
  const Mask& signs = block[Sign::equals];
  uint64_t words = 0;
  for (size_t i = 0; i < signs.word_count(); ++i) words |= (signs.words[i] != 0 ? uint64_t{1} : 0) << i;
  return words;
}

#if GATEHOUSE_AVX2
// Of the words but the last two, only where what follows fits.
GATEHOUSE_AVX512_TARGET uint64_t find_words_avx512(const TextBlock& block) {
  constexpr size_t kLanes = 8;
  const size_t count = block[Sign::equals].word_count();
  uint64_t words = count > 1 ? uint64_t{3} << (count - 2) : 1;
  for (size_t i = 0; i < count; i += kLanes) {
    const auto load = [&](Sign sign, size_t at) __attribute__((target("avx512f"))) {
      const auto lanes = static_cast<__mmask8>(0xff >> (kLanes - std::min(kLanes, count - at)));
      return _mm512_maskz_loadu_epi64(lanes, block[sign].words.data() + at);
    };
    const __m512i signs = load(Sign::equals, i);
    if (_mm512_test_epi64_mask(signs, signs) == 0) continue;
    const __m512i lines = _mm512_shrdi_epi64(load(Sign::line_end, i), load(Sign::line_end, i + 1), 1);
    const __m512i hex = load(Sign::hex, i), hex_next = load(Sign::hex, i + 1);
    const __m512i joins = load(Sign::join, i), joins_next = load(Sign::join, i + 1);
    const __m512i digits = _mm512_and_si512(_mm512_shrdi_epi64(hex, hex_next, 1), _mm512_shrdi_epi64(hex, hex_next, 2));
    const __m512i blanks =
        _mm512_and_si512(_mm512_shrdi_epi64(joins, joins_next, 1), _mm512_shrdi_epi64(joins, joins_next, 2));
    const __m512i behind = _mm512_or_si512(_mm512_or_si512(lines, digits), blanks);
    words |= static_cast<uint64_t>(_mm512_test_epi64_mask(signs, behind)) << i;
  }
  return words;
}
#endif

uint64_t find_words(const TextBlock& block) {
#if GATEHOUSE_AVX2
  if (has_avx512()) return find_words_avx512(block);
#endif
  return find_words_plain(block);
}

// Every '=' that may; whether there is one. Two digits follow, a line's end, or two of what is white space among
// others.
bool find_escapes(const TextBlock& block, Mask& escapes) {
  escapes.size = block.bytes().size();
  const size_t count = escapes.word_count();
  std::fill_n(escapes.words.begin(), count, 0);
  if (!block.has(Sign::equals)) return false;
  const Mask& line_ends = block[Sign::line_end];
  const Mask& hex = block[Sign::hex];
  const Mask& joins = block[Sign::join];
  uint64_t any = 0;
  for (uint64_t words = find_words(block); words != 0; words &= words - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(words));
    const bool last = i + 1 == count;
    const auto ahead = [&](const Mask& mask, int n) {
      return mask.words[i] >> n | (last ? 0 : mask.words[i + 1] << (64 - n));
    };
    const uint64_t signs = block[Sign::equals].words[i];
    uint64_t found = signs & (ahead(line_ends, 1) | (ahead(hex, 1) & ahead(hex, 2)));
    const size_t seen = escapes.size - i * 64;
    const uint64_t cut = seen >= 66 ? 0 : ~uint64_t{0} << (std::max<size_t>(seen, 2) - 2);  // what follows is not there
    for (uint64_t bits = signs & ((ahead(joins, 1) & ahead(joins, 2)) | cut); bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<size_t>(std::countr_zero(bits));
      if (begins_escape(block.bytes(), i * 64 + bit)) found |= uint64_t{1} << bit;
    }
    escapes.words[i] = found;
    any |= found;
  }
  return any != 0;
}

// The first '=' that may; their end if there is none.
size_t find_escape(std::string_view bytes) {
  for (size_t at = bytes.find('='); at != std::string_view::npos; at = bytes.find('=', at + 1)) {
    if (begins_escape(bytes, at)) return at;
  }
  return bytes.size();
}

}  // namespace

void QuotedPrintable::take(const TextBlock& block) {
  Mask escapes;
  if (find_escapes(block, escapes) || !pending_.empty()) return read(block.bytes(), &escapes);
  offset_ += block.bytes().size();
  if (!stopped_) literal(block.bytes());
}

bool QuotedPrintable::wants(const TextBlock& block) const {
  Mask escapes;
  return find_escapes(block, escapes);
}

// `escapes`: of `bytes`, where begins_escape() is true; null: not known.
void QuotedPrintable::read(std::string_view bytes, const Mask* escapes) {
  size_t at = 0;
  while (at < bytes.size() && !stopped_) {
    if (!pending_.empty()) {
      ++offset_;
      add(bytes[at++]);
      continue;
    }
    const size_t escape = escapes != nullptr ? escapes->find(at) : at + find_escape(bytes.substr(at));
    offset_ += escape - at;
    literal(bytes.substr(at, escape - at));
    at = escape;
    if (at < bytes.size()) {
      pending_ = "=";
      ++offset_;
      ++at;
    }
  }
  offset_ += bytes.size() - at;
}

QuotedPrintable::Escape QuotedPrintable::classify(char& character) const {
  if (pending_.size() < 2) return Escape::incomplete;
  const int high = hex_digit(pending_[1]);
  if (high >= 0) {
    if (pending_.size() == 2) return Escape::incomplete;
    const int low = hex_digit(pending_[2]);
    if (low < 0) return Escape::none;
    character = static_cast<char>(high << 4 | low);
    return Escape::character;
  }
  const char last = pending_.back();
  if (last == '\n') return Escape::line_break;
  const bool after_return = pending_.find('\r') < pending_.size() - 1;
  return (is_blank(last) || last == '\r') && !after_return && pending_.size() <= 2 + kMaxPaddingBytes
             ? Escape::incomplete
             : Escape::none;
}

void QuotedPrintable::add(char next) {
  pending_ += next;
  char character = 0;
  switch (classify(character)) {
    case Escape::incomplete:
      return;
    case Escape::line_break:
      // A '=' in front would have been escaped: this is a line drawn under a title.
      if (before_.ends_with('=') && literals_ > 0) break;
      return resolved({}, true);
    case Escape::character:
      return resolved({&character, 1}, worth_it(character));
    case Escape::none:
      break;
  }
  // The '=' stands for itself, and what follows may hold another.
  const std::string rest = pending_.substr(1);
  pending_.clear();
  offset_ -= rest.size();
  literal("=");
  read(rest, nullptr);
}

void QuotedPrintable::literal(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto inside = bytes.substr(0, left_);
  if (!inside.empty()) {
    emit(inside, offset_ - bytes.size(), true);
    left_ -= inside.size();
  }
  literals_ += bytes.size();
  keep(bytes);
}

// pending_ has turned out to stand for `meaning`.
void QuotedPrintable::resolved(std::string_view meaning, bool begins_stretch) {
  const std::string escape = std::exchange(pending_, {});
  if (left_ == 0 && !begins_stretch) return literal(escape);
  const uint64_t origin = offset_ - escape.size();
  if (host_.redundant("qp", origin, offset_)) return literal(escape);
  if (left_ == 0) begin_stretch(origin);
  emit(meaning, origin, false);
  left_ = kQuotedContextBytes;
  literals_ = 0;
  keep(meaning);
}

// `escape` is where the stretch's first escape begins.
void QuotedPrintable::begin_stretch(uint64_t escape) {
  const bool copied = literals_ >= before_.size();
  const uint64_t origin = escape - std::min<uint64_t>(literals_, before_.size());
  if (output_ == nullptr) {
    output_ = host_.output("qp");
    stopped_ = output_ == nullptr;
    if (stopped_) return;
    output_->begin({origin, {}, {}, {}});
  } else {
    output_->separate(origin);
  }
  copying_ = false;
  emit(before_, origin, copied);
}

void QuotedPrintable::emit(std::string_view bytes, uint64_t origin, bool copied) {
  const bool follows = copied && copying_;
  copying_ = copied;
  if (stopped_ || bytes.empty()) return;
  if (!follows) output_->from(origin, copied);
  stopped_ = !output_->write(bytes);
}

void QuotedPrintable::keep(std::string_view bytes) {
  if (bytes.size() >= kQuotedContextBytes) {
    before_ = bytes.substr(bytes.size() - kQuotedContextBytes);
    return;
  }
  before_ += bytes;
  if (before_.size() > kQuotedContextBytes) before_.erase(0, before_.size() - kQuotedContextBytes);
}

void QuotedPrintable::boundary() {
  skip(0);
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
  stopped_ = false;
}

void QuotedPrintable::skip(uint64_t bytes) {
  literal(std::exchange(pending_, {}));
  offset_ += bytes;
  before_.clear();
  literals_ = 0;
  left_ = 0;
  copying_ = false;
}

void QuotedPrintable::end() {
  boundary();
  offset_ = 0;
}

}  // namespace gatehouse::dlp
