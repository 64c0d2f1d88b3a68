#include "dlp/decode/escape_decoder.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/utf8.h"

namespace gatehouse::dlp {

void Escape::add_character(uint32_t character) { size += put_utf8(character, bytes + size); }

size_t EscapeDecoder::find(std::string_view text, size_t at) const { return text.find(first_, at); }

void EscapeDecoder::write(std::string_view bytes) {
  if (bytes.empty()) return;
  stretches_.enter(bytes);
  size_t at = 0;
  if (cut_size_ > 0) {
    // With what the last bytes ended in.
    char joined[2 * kMaxEscapeBytes];
    const size_t more = std::min(bytes.size(), kMaxEscapeBytes);
    std::memcpy(joined, cut_, cut_size_);
    std::memcpy(joined + cut_size_, bytes.data(), more);
    const size_t done = scan({joined, cut_size_ + more}, cut_size_, stretches_.position() - cut_size_, false);
    if (done < cut_size_) {
      assert(more == bytes.size());
      cut_size_ = cut_size_ + more - done;
      std::memcpy(cut_, joined + done, cut_size_);
      return stretches_.leave(cut_size_);
    }
    at = done - cut_size_;
  }
  at = scan(bytes, bytes.size(), stretches_.position(), false, at);
  cut_size_ = bytes.size() - std::min(at, bytes.size());
  std::memcpy(cut_, bytes.data() + bytes.size() - cut_size_, cut_size_);
  stretches_.leave(cut_size_);
}

// Decodes the escapes that begin in front of `limit`. Gives back where to go on: behind the last one, at least `limit`,
// or where one begins that is cut.
size_t EscapeDecoder::scan(std::string_view text, size_t limit, uint64_t position, bool nothing_more, size_t at) {
  if (first_ != 0) return scan_signs(text, limit, position, nothing_more, at);
  while (true) {
    at = std::min(find(text, at), text.size());
    if (at >= limit) return std::max(at, limit);
    Escape escape;
    switch (read(text.substr(at, kMaxEscapeBytes), position + at, nothing_more, escape)) {
      case EscapeKind::none:
        at += 1;
        break;
      case EscapeKind::complete:
        stretches_.made(position + at, escape.used, {escape.bytes, escape.size});
        at += escape.used;
        break;
      case EscapeKind::cut:
        return at;
    }
  }
}

// The same for escapes that begin with `first_`.
size_t EscapeDecoder::scan_signs(std::string_view text, size_t limit, uint64_t position, bool nothing_more, size_t at) {
  while (at < limit) {
    const size_t begin = at;
    const std::string_view now = text.substr(begin, std::min(limit - begin, kMaskedBytes));
    if (now.find(first_) == now.npos) {
      at = begin + now.size();
      continue;
    }
    Mask signs;
    find_byte(first_, now, signs);
    for (size_t i = 0; i < signs.word_count(); ++i) {
      for (uint64_t bits = signs.words[i]; bits != 0; bits &= bits - 1) {
        const size_t sign = begin + i * 64 + static_cast<size_t>(std::countr_zero(bits));
        if (sign < at) continue;  // in the one before
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
    at = std::max(at, begin + now.size());
  }
  return at;
}

void EscapeDecoder::skip(uint64_t bytes) {
  scan({cut_, cut_size_}, cut_size_, stretches_.position() - cut_size_, true);
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
