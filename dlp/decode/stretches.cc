#include "dlp/decode/stretches.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

// A shorter copy between two escapes is no place for a secret.
constexpr size_t kMinCopyBytes = 8;
constexpr size_t kMaxMadeBytes = kMinStretchBytes;

bool is_noise(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
}

size_t find_noise_from(std::string_view text, size_t at) {
  while (at < text.size() && !is_noise(text[at])) ++at;
  return at;
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET size_t find_noise_avx2(std::string_view text) {
  // Line feed, tab and carriage return, at their own number.
  const __m256i spaces = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          9, 10, 0, 0, 13, 0, 0);
  size_t at = 0;
  for (; at + 32 <= text.size(); at += 32) {
    const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(c, _mm256_set1_epi8(0x1f)), c);
    const __m256i space = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, c), c);
    const __m256i zero = _mm256_cmpeq_epi8(c, _mm256_setzero_si256());
    const __m256i noise = _mm256_or_si256(_mm256_and_si256(low, _mm256_or_si256(zero, _mm256_xor_si256(space, low))),
                                          _mm256_cmpeq_epi8(c, _mm256_set1_epi8(0x7f)));
    const auto found = static_cast<uint32_t>(_mm256_movemask_epi8(noise));
    if (found != 0) return at + static_cast<size_t>(std::countr_zero(found));
  }
  return find_noise_from(text, at);
}
#endif

size_t find_noise(std::string_view text) {
#if GATEHOUSE_AVX2
  if (has_avx2()) return find_noise_avx2(text);
#endif
  return find_noise_from(text, 0);
}

}  // namespace

// The common case, in few steps: an escape close behind the last one, in clean bytes.
bool Stretches::made_next(uint64_t at, size_t used, std::string_view decoded) {
  if (state_ != State::open || output_ == nullptr || done_ < position_ || at > made_end_ + context_ || !clean()) {
    return false;
  }
  const size_t text = at - done_;
  if (out_size_ + text + kMaxMadeBytes > out_.size() || stretch_count_ + 2 > stretches_.size()) return false;
  if (host_.redundant(kind_, at, at + used)) return true;
  using From = DecoderOutput::Stretch::From;
  char* out = out_.data() + out_size_;
  if (text > 0) {
    const char* from = bytes_.data() + (done_ - position_);
    // In one go, if there are as many bytes to read and to write.
    if (text <= kAtOnce && done_ - position_ + kAtOnce <= bytes_.size() && out_size_ + kAtOnce <= out_.size()) {
      std::memcpy(out, from, kAtOnce);
    } else {
      std::memcpy(out, from, text);
    }
    const From how = text >= kMinCopyBytes ? From::copied : From::before;
    stretches_[stretch_count_++] = {static_cast<uint32_t>(text), how, done_};
  }
  std::copy(decoded.begin(), decoded.end(), out + text);
  stretches_[stretch_count_++] = {static_cast<uint32_t>(decoded.size()), From::made, at};
  out_size_ += text + decoded.size();
  done_ = made_end_ = at + used;
  return true;
}

bool Stretches::made_escapes(uint64_t at, size_t used, uint64_t escapes, std::string_view decoded) {
  const uint64_t first = at + static_cast<uint64_t>(std::countr_zero(escapes));
  if (state_ != State::open || output_ == nullptr || done_ < position_ || first > made_end_ + context_ || !clean()) {
    return false;
  }
  using From = DecoderOutput::Stretch::From;
  const size_t text = at - done_;
  if (out_size_ + text + kAtOnce > out_.size() || stretch_count_ + 2 > stretches_.size()) put_out();
  char* out = out_.data() + out_size_;
  if (text > 0) {
    std::memcpy(out, bytes_.data() + (done_ - position_), text);
    stretches_[stretch_count_++] = {static_cast<uint32_t>(text), From::copied, done_};
  }
  std::memcpy(out + text, decoded.data(), kAtOnce);
  stretches_[stretch_count_++] = {static_cast<uint32_t>(decoded.size()), From::escaped, at, escapes};
  out_size_ += text + decoded.size();
  done_ = at + used;
  made_end_ = at + static_cast<uint64_t>(std::bit_width(escapes)) + 1;
  return true;
}

bool Stretches::clean() {
  if (clean_ == Clean::unknown) clean_ = find_noise(bytes_) == bytes_.size() ? Clean::yes : Clean::no;
  return clean_ == Clean::yes;
}

void Stretches::made_anywhere(uint64_t at, size_t used, std::string_view decoded) {
  if (host_.redundant(kind_, at, at + used)) return;
  assert(state_ == State::closed || at >= done_);
  if (state_ != State::closed) follow(at);
  if (state_ == State::closed || done_ != at) copy_context(at);
  decoded = hold(decoded);
  if (state_ == State::open) {
    put(decoded, {static_cast<uint32_t>(decoded.size()), DecoderOutput::Stretch::From::made, at});
  }
  done_ = made_end_ = at + used;
}

// The text in front of an escape; where only that was left out since the one before, the stretch goes on.
void Stretches::copy_context(uint64_t at) {
  const bool open = state_ == State::open;
  const uint64_t least = std::max({known(), at - std::min<uint64_t>(at, context_), open ? done_ : 0});
  uint64_t from = at;
  if (at > position_ && clean()) from = std::max(least, position_);
  while (from > least && !is_noise(this->at(from - 1))) --from;
  if (!open || from != done_) {
    state_ = State::held;
    held_size_ = 0;
    run_origin_ = from;
  }
  copy(from, at);
}

// The text behind the last escape, up to `limit` at most.
void Stretches::follow(uint64_t limit) {
  const uint64_t to = std::min(limit, made_end_ + context_);
  if (to <= done_) return;
  for_parts(done_, to, [&](std::string_view part, uint64_t origin) {
    if (state_ == State::closed) return;
    const size_t text = find_noise(part);
    copy_part(part.substr(0, text), origin);
    if (text < part.size()) state_ = State::closed;
  });
  done_ = to;
}

void Stretches::copy(uint64_t from, uint64_t to) {
  for_parts(from, to, [&](std::string_view part, uint64_t origin) { copy_part(part, origin); });
}

// Hands over the input from `from` to `to`, which may begin in what is remembered.
template <class Part>
void Stretches::for_parts(uint64_t from, uint64_t to, Part part) {
  assert(from + history_size_ >= position_ && to <= position_ + bytes_.size());
  if (from < position_) {
    const uint64_t end = std::min(to, position_);
    part({history_ + (history_size_ - (position_ - from)), end - from}, from);
    from = end;
  }
  if (from < to) part(bytes_.substr(from - position_, to - from), from);
}

void Stretches::copy_part(std::string_view part, uint64_t origin) {
  if (part.empty()) return;
  if (state_ == State::held && held_size_ == 0 && part.size() >= kMinStretchBytes) open_run();
  const std::string_view rest = hold(part);
  if (rest.empty()) return;
  using From = DecoderOutput::Stretch::From;
  const From from = rest.size() >= kMinCopyBytes ? From::copied : From::before;
  put(rest, {static_cast<uint32_t>(rest.size()), from, origin + (part.size() - rest.size())});
}

void Stretches::put(std::string_view bytes, DecoderOutput::Stretch stretch) {
  if (output_ == nullptr) return;
  if (out_size_ + bytes.size() > out_.size() || stretch_count_ == stretches_.size()) put_out();
  if (bytes.size() > out_.size()) {
    output_->write_stretches(bytes, {&stretch, 1});
    return;
  }
  std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<ptrdiff_t>(out_size_));
  out_size_ += bytes.size();
  stretches_[stretch_count_++] = stretch;
}

void Stretches::put_out() {
  if (stretch_count_ > 0) output_->write_stretches({out_.data(), out_size_}, {stretches_.data(), stretch_count_});
  out_size_ = stretch_count_ = 0;
}

// Takes what is needed to tell text from noise; gives back what there is more.
std::string_view Stretches::hold(std::string_view bytes) {
  if (state_ != State::held || bytes.empty()) return bytes;
  const size_t taken = std::min(bytes.size(), kMinStretchBytes - held_size_);
  std::memcpy(held_ + held_size_, bytes.data(), taken);
  held_size_ += taken;
  if (held_size_ == kMinStretchBytes) open_run();
  return bytes.substr(taken);
}

void Stretches::open_run() {
  put_out();
  state_ = State::open;
  if (output_ != nullptr) {
    output_->separate(run_origin_);
  } else {
    output_ = host_.output(kind_);
    if (output_ != nullptr) output_->begin({run_origin_, {}, {}, {}});
  }
  if (output_ != nullptr && held_size_ > 0) output_->write({held_, held_size_});
}

void Stretches::leave(size_t undecided) {
  const uint64_t end = position_ + bytes_.size();
  if (state_ != State::closed) follow(end - std::min<uint64_t>(undecided, end));
  put_out();
  if (bytes_.size() >= sizeof history_) {
    history_size_ = sizeof history_;
    std::memcpy(history_, bytes_.data() + bytes_.size() - sizeof history_, sizeof history_);
  } else {
    const size_t kept = std::min(history_size_, sizeof history_ - bytes_.size());
    std::memmove(history_, history_ + history_size_ - kept, kept);
    std::copy(bytes_.begin(), bytes_.end(), history_ + kept);  // of no bytes too
    history_size_ = kept + bytes_.size();
  }
  position_ += bytes_.size();
  bytes_ = {};
}

void Stretches::skip(uint64_t bytes) {
  if (state_ == State::held && held_size_ >= kMinLastStretchBytes) open_run();
  put_out();
  state_ = State::closed;
  history_size_ = 0;
  position_ += bytes;
  start_ = position_;
}

void Stretches::boundary() {
  skip(0);
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
}

void Stretches::end() {
  boundary();
  position_ = start_ = 0;
}

}  // namespace gatehouse::dlp
