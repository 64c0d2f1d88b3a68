#include "dlp/decode/escape_decoder.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/utf8.h"

namespace gatehouse::dlp {

void Escape::add_character(uint32_t character) { size += put_utf8(character, bytes + size); }

const Mask& EscapeDecoder::find(const TextBlock& block, Mask& /*some*/) const { return block[sign_]; }

bool EscapeDecoder::wants(const TextBlock& block) const {
  if (!block.has(sign_)) return false;
  const std::string_view text = block.bytes();
  Mask some;
  const Mask& signs = find(block, some);
  for (size_t at = signs.find(0); at < signs.size; at = signs.find(at + 1)) {
    if (may_begin(text, at)) return true;
  }
  return false;
}

bool EscapeDecoder::may_begin(std::string_view text, size_t at) const {
  Escape escape;
  return read(text.substr(at, kMaxEscapeBytes), at, true, escape) == EscapeKind::complete;
}

void EscapeDecoder::take(const TextBlock& block) {
  const std::string_view bytes = block.bytes();
  stretches_.enter(bytes);
  size_t at = 0;
  if (cut_size_ > 0) {
    // With what the last bytes ended in.
    char joined[2 * kMaxEscapeBytes];
    const size_t more = std::min(bytes.size(), kMaxEscapeBytes);
    std::memcpy(joined, cut_, cut_size_);
    std::memcpy(joined + cut_size_, bytes.data(), more);
    const TextBlock both({joined, cut_size_ + more});
    const size_t done = scan(both, cut_size_, stretches_.position() - cut_size_, false);
    if (done < cut_size_) {
      assert(more == bytes.size());
      cut_size_ = cut_size_ + more - done;
      std::memcpy(cut_, joined + done, cut_size_);
      return stretches_.leave(cut_size_);
    }
    at = done - cut_size_;
  }
  at = scan(block, bytes.size(), stretches_.position(), false, at);
  cut_size_ = bytes.size() - std::min(at, bytes.size());
  std::memcpy(cut_, bytes.data() + bytes.size() - cut_size_, cut_size_);
  stretches_.leave(cut_size_);
}

// Decodes the escapes that begin in front of `limit`. Gives back where to go on: behind the last one, at least `limit`,
// or where one begins that is cut.
size_t EscapeDecoder::scan(const TextBlock& block, size_t limit, uint64_t position, bool nothing_more, size_t at) {
  if (!block.has(sign_)) return std::max(at, limit);
  const std::string_view text = block.bytes();
  Mask some;
  const Mask& signs = find(block, some);
  const bool words = limit == text.size() && !nothing_more && stretches_.takes_escapes();
  for (size_t i = at / 64; i < signs.word_count(); ++i) {
    if (signs.words[i] == 0) continue;
    const size_t begin = std::max(at, i * 64);
    const size_t size = i * 64 + 64 - begin;  // that are still to be read
    if (words && begin + size < text.size()) {
      Word word;
      const uint64_t bits = signs.words[i] >> (64 - size);
      if (bits == 0) continue;
      if (read_word(text.substr(begin), size, bits, word) &&
          stretches_.made_escapes(position + begin, word.used, word.escapes, {word.decoded, word.size})) {
        at = begin + word.used;
        continue;
      }
    }
    for (uint64_t bits = signs.words[i]; bits != 0; bits &= bits - 1) {
      const size_t sign = i * 64 + static_cast<size_t>(std::countr_zero(bits));
      if (sign < at) continue;  // in the one before
      if (sign >= limit) return std::max(at, limit);
      Escape escape;
      switch (read(text.substr(sign, kMaxEscapeBytes), position + sign, nothing_more, escape)) {
        case EscapeKind::none:
          break;
        case EscapeKind::complete:
          stretches_.made(position + sign, escape.used, {escape.bytes, escape.size});
          at = sign + escape.used;
          break;
        case EscapeKind::cut:
          return sign;
      }
    }
  }
  return std::max(at, limit);
}

void EscapeDecoder::skip(uint64_t bytes) {
  if (cut_size_ > 0) scan(TextBlock({cut_, cut_size_}), cut_size_, stretches_.position() - cut_size_, true);
  cut_size_ = 0;
  stretches_.leave(0);
  stretches_.skip(bytes);
}

void EscapeDecoder::boundary() {
  skip(0);
  stretches_.boundary();
}

void EscapeDecoder::end() {
  boundary();
  stretches_.end();
}

}  // namespace gatehouse::dlp
