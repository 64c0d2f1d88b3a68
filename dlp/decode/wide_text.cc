#include "dlp/decode/wide_text.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dlp/decode/simd.h"
#include "dlp/decode/utf8.h"

namespace gatehouse::dlp {
namespace {

bool is_text(char c) { return (c >= ' ' && c < '\x7f') || c == '\n' || c == '\r' || c == '\t'; }

// A zero and another one two bytes on, which every form of such text has; at the end, one zero.
size_t find_zeros_from(std::string_view text, size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == 0 && (at + 2 >= text.size() || text[at + 2] == 0)) return at;
  }
  return at;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET size_t find_zeros_avx2(std::string_view text, size_t at) {
  for (; at + 34 <= text.size(); at += 32) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at + 2));
    const __m256i zeros = _mm256_cmpeq_epi8(_mm256_or_si256(first, second), _mm256_setzero_si256());
    const auto found = static_cast<uint32_t>(_mm256_movemask_epi8(zeros));
    if (found != 0) return at + static_cast<size_t>(std::countr_zero(found));
  }
  return find_zeros_from(text, at);
}
#endif

size_t find_zeros(std::string_view text, size_t at) {
#if GATEHOUSE_AVX2
  if (has_avx2()) return find_zeros_avx2(text, at);
#endif
  return find_zeros_from(text, at);
}

// Behind `at`; of many zeros only the last ones can begin a text.
size_t skip_zeros(std::string_view text, size_t at) {
  constexpr size_t kMaxFirstZeros = 3;  // of a unit
  const size_t end = std::min(text.find_first_not_of('\0', at), text.size());
  return std::max(at + 1, end - std::min(end, kMaxFirstZeros));
}

}  // namespace

void WideTextDecoder::write(std::string_view bytes) {
  if (bytes.empty()) return;
  if (cut_size_ > 0) {
    // With what the last bytes ended in.
    char joined[2 * kCutBytes];
    const size_t more = std::min(bytes.size(), kCutBytes);
    const size_t before = cut_size_;
    std::memcpy(joined, cut_, before);
    std::memcpy(joined + before, bytes.data(), more);
    cut_size_ = 0;
    position_ -= before;
    const size_t done = search({joined, before + more}, before);
    position_ += done;
    if (form_.width != 0 && done < before) {
      // A text begins in what was held, and takes all of it: it is made of whole units of ASCII.
      const size_t read = read_text({joined + done, before - done});
      position_ += read;
    } else if (done < before) {
      cut_size_ = before + more - done;
      std::memcpy(cut_, joined + done, cut_size_);
      position_ += cut_size_;
      return;
    }
    bytes.remove_prefix(std::max(done, before) - before);
  }
  while (!bytes.empty()) {
    size_t done = 0;
    if (form_.width != 0) {
      done = read_text(bytes);
    } else {
      done = search(bytes, bytes.size());
      if (form_.width == 0 && done < bytes.size()) {
        cut_size_ = bytes.size() - done;
        std::memcpy(cut_, bytes.data() + done, cut_size_);
        done = bytes.size();
      }
    }
    position_ += done;
    bytes.remove_prefix(done);
  }
  if (form_.width != 0) flush();
}

// Looks for the beginning of a text in front of `limit`; opens it, or else gives back where one may begin that is cut,
// at least `limit` if there is none. position_ is that of `text`.
size_t WideTextDecoder::search(std::string_view text, size_t limit) {
  size_t at = 0;
  while (at < limit) {
    if (!at_start_) {
      // The first zero is the second byte of little-endian text and the first of big-endian text.
      const size_t zero = find_zeros(text, at);
      // A character at the end may have its zero in what follows.
      if (zero == text.size() && !is_text(text.back())) return text.size();
      const size_t begin = zero > at && is_text(text[zero - 1]) ? zero - 1 : zero;
      if (begin >= limit) return begin;
      at = begin;
    }
    Form form;
    const Answer answer = recognize(text.substr(at, kCutBytes), form);
    if (answer == Answer::cut) return at;
    if (answer == Answer::yes) {
      open(form, position_ + at, at_start_ && !is_text(text[at]) && text[at] != '\0');
      at_start_ = false;
      return at;
    }
    if (!at_start_) at = skip_zeros(text, at);
    at_start_ = false;
  }
  return at;
}

// Whether a text begins with `text`: with the mark, at the start, or with kFirstUnits of ASCII.
WideTextDecoder::Answer WideTextDecoder::recognize(std::string_view text, Form& form) const {
  struct Mark {
    std::string_view bytes;
    Form form;
  };
  static constexpr Mark kMarks[] = {{{"\xff\xfe\0\0", 4}, {4, false}},
                                    {{"\0\0\xfe\xff", 4}, {4, true}},
                                    {{"\xff\xfe", 2}, {2, false}},
                                    {{"\xfe\xff", 2}, {2, true}}};
  bool cut = false;
  if (at_start_) {
    for (const Mark& mark : kMarks) {
      if (text.starts_with(mark.bytes) && !cut) {
        form = mark.form;
        return Answer::yes;
      }
      cut |= text.size() < mark.bytes.size() && mark.bytes.starts_with(text);
    }
  }
  for (const Form candidate : {Form{2, false}, Form{2, true}, Form{4, false}, Form{4, true}}) {
    const size_t size = kFirstUnits * candidate.width;
    bool fits = true;
    for (size_t i = 0; fits && i < std::min(size, text.size()); ++i) {
      const bool letter = i % candidate.width == (candidate.big_endian ? candidate.width - 1u : 0u);
      fits = letter ? is_text(text[i]) : text[i] == '\0';
    }
    if (!fits) continue;
    if (text.size() >= size) {
      form = candidate;
      return Answer::yes;
    }
    cut = true;
  }
  return cut ? Answer::cut : Answer::no;
}

void WideTextDecoder::open(Form form, uint64_t origin, bool marked) {
  form_ = form;
  marked_ = marked;
  others_ = unit_ = unit_size_ = high_surrogate_ = 0;
  DecoderOutput*& output = outputs_[form.width / 4];
  if (output != nullptr) {
    output->separate(origin);
  } else {
    output = host_.output(form.width == 2 ? "utf16" : "utf32");
    if (output != nullptr) output->begin({origin, {}, {}, {}});
  }
  output_ = output;
}

// As much of the bytes as belongs to the text.
size_t WideTextDecoder::read_text(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const uint32_t byte = static_cast<uint8_t>(bytes[i]);
    unit_ = form_.big_endian ? unit_ << 8 | byte : unit_ | byte << (8 * unit_size_);
    if (++unit_size_ < form_.width) continue;
    const bool goes_on = read_unit(unit_);
    unit_ = unit_size_ = 0;
    if (goes_on) continue;
    close();
    return i + 1;
  }
  return bytes.size();
}

bool WideTextDecoder::read_unit(uint32_t unit) {
  others_ = unit < 0x80 && is_text(static_cast<char>(unit)) ? 0 : others_ + 1;
  if (others_ > kMaxOtherUnits && !marked_) return false;
  if (form_.width == 2 && unit >= 0xd800 && unit < 0xdc00) {
    high_surrogate_ = static_cast<uint16_t>(unit);
    return true;
  }
  if (high_surrogate_ != 0 && unit >= 0xdc00 && unit < 0xe000) {
    unit = 0x10000 + ((high_surrogate_ - 0xd800u) << 10) + (unit - 0xdc00);
  }
  high_surrogate_ = 0;
  if (unit != 0xfeff) put(unit);
  return true;
}

void WideTextDecoder::put(uint32_t character) {
  out_size_ += put_utf8(character, out_ + out_size_);
  if (out_size_ + kMaxUtf8Bytes > sizeof out_) flush();
}

void WideTextDecoder::flush() {
  if (output_ != nullptr && out_size_ > 0) output_->write({out_, out_size_});
  out_size_ = 0;
}

void WideTextDecoder::close() {
  flush();
  form_ = {};
}

void WideTextDecoder::boundary() {
  cut_size_ = 0;
  if (form_.width != 0) close();
  for (DecoderOutput*& output : outputs_) {
    if (output != nullptr) output->end();
    output = nullptr;
  }
  at_start_ = true;
}

void WideTextDecoder::end() {
  boundary();
  position_ = 0;
}

}  // namespace gatehouse::dlp
