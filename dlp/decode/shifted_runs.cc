#include "dlp/decode/shifted_runs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kWorkBytes = 4096;
constexpr size_t kBlocksAtOnce = 64;
// gzip (RFC 1952), zip, zstd (RFC 8878).
constexpr std::array<std::string_view, 3> kMagics{"\x1f\x8b\x08", "PK\x03\x04", "\x28\xb5\x2f\xfd"};
constexpr size_t kLongestMagic = 4;
// In front of each text that is looked at there are readable bytes, and behind it.
constexpr size_t kFront = kTextBlockBytes;
constexpr size_t kBehind = 64;

struct Look {
  uint64_t text = 0;  // bit i: block i looks like text
  bool file = false;  // the last two of a compressed file's first bytes are somewhere
};

bool is_text(uint8_t c) { return (c >= 0x20 && c < 0x7f) || c == 0 || c == '\t' || c == '\n' || c == '\r'; }
bool is_lead(uint8_t c) { return c >= 0xc2 && c < 0xf5; }
bool is_continuation(uint8_t c) { return (c & 0xc0) == 0x80; }

// A byte of ASCII text counts one (NUL too: UTF-16), the second of a UTF-8 character two, a further one one; what
// cannot be in UTF-8 takes one off. A block is text from kTextScore on. Random bytes get there once in 130 blocks.
constexpr int kTextScore = 8;

// `blocks` may be read from one byte before to kBehind after.
Look look(const char* blocks, size_t count) {
  Look found;
  for (size_t block = 0; block < count; ++block) {
    int score = 0;
    for (size_t i = block * kTextBlockBytes; i < (block + 1) * kTextBlockBytes; ++i) {
      const auto before = static_cast<uint8_t>(*(blocks + i - 1));
      const auto c = static_cast<uint8_t>(blocks[i]);
      score += is_text(c) ? 1 : 0;
      if (is_continuation(c)) {
        score += is_lead(before) ? 2 : is_continuation(before) ? 1 : -1;
      } else if (is_lead(before)) {
        score -= 1;
      }
      found.file |= (before == 0x8b && c == 0x08) || (before == 0x03 && c == 0x04) || (before == 0x2f && c == 0xfd);
    }
    // Nothing but zeros is what a line of equal letters decodes to.
    const bool zeros = std::all_of(blocks + block * kTextBlockBytes, blocks + (block + 1) * kTextBlockBytes,
                                   [](char c) { return c == 0; });
    if (score >= kTextScore && !zeros) found.text |= uint64_t{1} << block;
  }
  return found;
}

// Of `bytes`, kBehind more than they are may be read, and of `out` written.
void shift_bytes(const char* bytes, size_t size, int bits, char* out) {
  for (size_t i = 0; i < size; ++i) {
    const unsigned pair =
        static_cast<unsigned>(static_cast<uint8_t>(bytes[i])) << 8 | static_cast<uint8_t>(bytes[i + 1]);
    out[i] = static_cast<char>(pair >> (8 - bits));
  }
}

#if GATEHOUSE_AVX2
GATEHOUSE_AVX2_TARGET Look look_avx2(const char* blocks, size_t count) {
  Look found;
  const __m256i one = _mm256_set1_epi8(1);
  const __m256i one_bits = _mm256_set1_epi8(-1);
  const __m256i two = _mm256_set1_epi8(2);
  const __m256i controls =
      _mm256_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0);
  const __m256i first_lead = _mm256_set1_epi8(static_cast<char>(0xc2));
  const __m256i leads = _mm256_set1_epi8(0xf4 - 0xc2);
  const __m256i ascii = _mm256_set1_epi8(-64);
  const __m256i lanes = _mm256_setr_epi64x(0, 1, 2, 3);
  __m256i files = _mm256_setzero_si256();
  for (size_t block = 0; block < count; block += 4) {
    const char* at = blocks + block * kTextBlockBytes;
    const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i before = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at - 1));
    const __m256i printable = _mm256_andnot_si256(_mm256_cmpeq_epi8(c, _mm256_set1_epi8(0x7f)),
                                                  _mm256_and_si256(_mm256_cmpgt_epi8(c, _mm256_set1_epi8(0x1f)), one));
    const __m256i control = _mm256_shuffle_epi8(controls, _mm256_adds_epu8(c, _mm256_set1_epi8(0x70)));
    const __m256i continues = _mm256_cmpgt_epi8(ascii, c);
    const __m256i continued = _mm256_cmpgt_epi8(ascii, before);
    const __m256i above = _mm256_sub_epi8(before, first_lead);
    const __m256i led = _mm256_cmpeq_epi8(_mm256_min_epu8(above, leads), above);
    const __m256i weight = _mm256_or_si256(_mm256_and_si256(led, two), _mm256_and_si256(continued, one));
    // -1 where there is a lead and nothing continues it, or the other way about.
    const __m256i wrong = _mm256_xor_si256(
        led, _mm256_and_si256(continues, _mm256_or_si256(led, _mm256_andnot_si256(continued, one_bits))));
    const __m256i gained = _mm256_add_epi8(_mm256_or_si256(printable, control), _mm256_and_si256(continues, weight));
    // Counted from one up, so that no sum is below zero.
    const __m256i score = _mm256_add_epi8(_mm256_add_epi8(gained, one), wrong);
    const __m256i sums = _mm256_sad_epu8(score, _mm256_setzero_si256());
    const __m256i zeros = _mm256_cmpeq_epi64(c, _mm256_setzero_si256());
    const __m256i text =
        _mm256_andnot_si256(zeros, _mm256_cmpgt_epi64(sums, _mm256_set1_epi64x(kTextScore + kTextBlockBytes - 1)));
    found.text |= static_cast<uint64_t>(_mm256_movemask_pd(_mm256_castsi256_pd(text))) << block;
    const __m256i gzip = _mm256_and_si256(_mm256_cmpeq_epi8(before, _mm256_set1_epi8('\x8b')),
                                          _mm256_cmpeq_epi8(c, _mm256_set1_epi8('\x08')));
    const __m256i zip = _mm256_and_si256(_mm256_cmpeq_epi8(before, _mm256_set1_epi8('\x03')),
                                         _mm256_cmpeq_epi8(c, _mm256_set1_epi8('\x04')));
    const __m256i zstd = _mm256_and_si256(_mm256_cmpeq_epi8(before, _mm256_set1_epi8('\x2f')),
                                          _mm256_cmpeq_epi8(c, _mm256_set1_epi8('\xfd')));
    // Of the last four, some may be behind the end.
    const __m256i within = _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(count - block)), lanes);
    const __m256i file = _mm256_or_si256(_mm256_or_si256(gzip, zip), zstd);
    files = _mm256_or_si256(files, _mm256_and_si256(file, within));
  }
  found.file = !_mm256_testz_si256(files, files);
  found.text &= ~uint64_t{0} >> (64 - count);
  return found;
}

GATEHOUSE_AVX2_TARGET void shift_bytes_avx2(const char* bytes, size_t size, int bits, char* out) {
  const __m128i left = _mm_cvtsi32_si128(bits);
  const __m128i right = _mm_cvtsi32_si128(8 - bits);
  const __m256i high = _mm256_set1_epi8(static_cast<char>(0xff << bits));
  for (size_t i = 0; i < size; i += 32) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i + 1));
    const __m256i shifted = _mm256_or_si256(_mm256_and_si256(_mm256_sll_epi16(first, left), high),
                                            _mm256_andnot_si256(high, _mm256_srl_epi16(second, right)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), shifted);
  }
}

// As look(), of eight blocks at a time; what is behind the end counts for nothing.
GATEHOUSE_AVX512_TARGET Look look_avx512(const char* blocks, size_t count) {
  Look found;
  const __m512i controls =
      _mm512_maskz_broadcast_i32x4(0xffff, _mm_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0));
  for (size_t block = 0; block < count; block += 8) {
    const char* at = blocks + block * kTextBlockBytes;
    const size_t bytes = std::min<size_t>(64, (count - block) * kTextBlockBytes);
    const __mmask64 within = ~uint64_t{0} >> (64 - bytes);
    const __m512i c = _mm512_maskz_loadu_epi8(within, at);
    const __m512i before = _mm512_maskz_loadu_epi8(within, at - 1);
    // Printable, or one of the controls.
    const __mmask64 printable =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(c, _mm512_set1_epi8(0x20)), _mm512_set1_epi8(0x7f - 0x20));
    const __m512i control = _mm512_shuffle_epi8(controls, _mm512_adds_epu8(c, _mm512_set1_epi8(0x70)));
    const uint64_t text = printable | _mm512_test_epi8_mask(control, control);
    const uint64_t continues = _mm512_cmplt_epi8_mask(c, _mm512_set1_epi8(-64));
    const uint64_t continued = _mm512_cmplt_epi8_mask(before, _mm512_set1_epi8(-64));
    const uint64_t led = _mm512_cmple_epu8_mask(_mm512_sub_epi8(before, _mm512_set1_epi8(static_cast<char>(0xc2))),
                                                _mm512_set1_epi8(0xf4 - 0xc2));
    const uint64_t second = continues & led;
    const uint64_t further = continues & ~led & continued;
    const uint64_t wrong = (led & ~continues) | (continues & ~led & ~continued);
    const __m128i gained =
        _mm_popcnt_epi8(_mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(text | further)));
    const __m128i twice = _mm_unpackhi_epi64(gained, gained);
    const __m128i lost = _mm_popcnt_epi8(_mm_cvtsi64_si128(static_cast<long long>(wrong)));
    const __m128i score = _mm_sub_epi8(_mm_add_epi8(gained, _mm_add_epi8(twice, twice)), lost);
    const auto enough = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpgt_epi8(score, _mm_set1_epi8(kTextScore - 1))));
    found.text |= static_cast<uint64_t>(enough & 0xff & _mm512_test_epi64_mask(c, c)) << block;
    const auto is = [&](__m512i in, char byte) __attribute__((target("avx512f,avx512bw"))) {
      return static_cast<uint64_t>(_mm512_cmpeq_epi8_mask(in, _mm512_set1_epi8(byte)));
    };
    const uint64_t file = (is(c, '\x08') & is(before, '\x8b')) | (is(c, '\x04') & is(before, '\x03')) |
                          (is(c, '\xfd') & is(before, '\x2f'));
    found.file |= (file & within) != 0;
  }
  return found;
}

// Of the bytes that begin a run and are all of it, 64 of which can be read and one behind them: whether there is a
// text, or what may begin a file, when they are shifted by `bits`.
GATEHOUSE_AVX512_TARGET bool may_hold_avx512(const char* bytes, size_t size, int bits) {
  const __m128i left = _mm_cvtsi32_si128(bits);
  const __m128i right = _mm_cvtsi32_si128(8 - bits);
  const __m512i high = _mm512_set1_epi8(static_cast<char>(0xff << bits));
  const __mmask64 within = ~uint64_t{0} >> (64 - size);
  const __m512i c = _mm512_maskz_mov_epi8(
      within, _mm512_ternarylogic_epi64(high, _mm512_sll_epi16(_mm512_loadu_si512(bytes), left),
                                        _mm512_srl_epi16(_mm512_loadu_si512(bytes + 1), right), 0xca));
  const __m512i controls =
      _mm512_maskz_broadcast_i32x4(0xffff, _mm_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0));
  const __m512i control = _mm512_shuffle_epi8(controls, _mm512_adds_epu8(c, _mm512_set1_epi8(0x70)));
  const uint64_t text =
      _mm512_cmplt_epu8_mask(_mm512_sub_epi8(c, _mm512_set1_epi8(0x20)), _mm512_set1_epi8(0x7f - 0x20)) |
      _mm512_test_epi8_mask(control, control);
  const uint64_t continues = _mm512_cmplt_epi8_mask(c, _mm512_set1_epi8(-64));
  const uint64_t led = _mm512_cmple_epu8_mask(_mm512_sub_epi8(c, _mm512_set1_epi8(static_cast<char>(0xc2))),
                                              _mm512_set1_epi8(0xf4 - 0xc2))
                       << 1;
  const uint64_t second = continues & led;
  const uint64_t further = continues & ~led & continues << 1;
  const uint64_t wrong = (led & ~continues) | (continues & ~led & ~(continues << 1));
  const __m128i gained =
      _mm_popcnt_epi8(_mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(text | further)));
  const __m128i twice = _mm_unpackhi_epi64(gained, gained);
  const __m128i lost = _mm_popcnt_epi8(_mm_cvtsi64_si128(static_cast<long long>(wrong)));
  const __m128i score = _mm_sub_epi8(_mm_add_epi8(gained, _mm_add_epi8(twice, twice)), lost);
  const auto enough = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpgt_epi8(score, _mm_set1_epi8(kTextScore - 1))));
  if ((enough & 0xff & _mm512_test_epi64_mask(c, c)) != 0) return true;
  const auto is = [&](char byte) __attribute__((target("avx512f,avx512bw"))) {
    return static_cast<uint64_t>(_mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(byte)));
  };
  const uint64_t flags = is('\x01') | is('\x5e') | is('\x9c') | is('\xda');
  const uint64_t files = (is('\x08') & is('\x8b') << 1) | (is('\x04') & is('\x03') << 1) |
                         (is('\xfd') & is('\x2f') << 1) | (flags & is('\x78') << 1);
  if ((files & within) != 0) return true;
  char first[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm512_castsi512_si128(c));
  return begins_file({first, std::min(size, sizeof first)});
}

GATEHOUSE_AVX512_TARGET void shift_bytes_avx512(const char* bytes, size_t size, int bits, char* out) {
  const __m128i left = _mm_cvtsi32_si128(bits);
  const __m128i right = _mm_cvtsi32_si128(8 - bits);
  const __m512i high = _mm512_set1_epi8(static_cast<char>(0xff << bits));
  for (size_t i = 0; i < size; i += 64) {
    const __m512i first = _mm512_loadu_si512(bytes + i);
    const __m512i second = _mm512_loadu_si512(bytes + i + 1);
    // Bits of the first where `high` has them, of the second elsewhere.
    const __m512i shifted =
        _mm512_ternarylogic_epi64(high, _mm512_sll_epi16(first, left), _mm512_srl_epi16(second, right), 0xca);
    _mm512_storeu_si512(out + i, shifted);
  }
}
#endif

// zlib's header as it mostly is, near the beginning: further back, noise would have it too often.
constexpr size_t kZlibBytes = 32;
bool has_zlib(std::string_view bytes) {
  for (size_t at = bytes.find('\x78'); at != bytes.npos && at + 1 < bytes.size(); at = bytes.find('\x78', at + 1)) {
    switch (static_cast<uint8_t>(bytes[at + 1])) {
      case 0x01:
      case 0x5e:
      case 0x9c:
      case 0xda:
        return true;
      default:
        break;
    }
  }
  return false;
}

}  // namespace

bool begins_file(std::string_view bytes) {
  if (bytes.size() < 2) return false;
  for (const std::string_view magic : kMagics) {
    if (bytes[0] == magic[0] && bytes.starts_with(magic)) return true;
  }
  // The header of zlib (RFC 1950) is but a method, a window and a checksum.
  const auto method = static_cast<uint8_t>(bytes[0]);
  const auto flags = static_cast<uint8_t>(bytes[1]);
  return (method & 0x8f) == 8 && (flags & 0x20) == 0 && (method * 256 + flags) % 31 == 0;
}

ShiftedRuns::ShiftedRuns(DecoderHost& host, std::string_view kind, const std::vector<int>& shifts)
    : host_(host),
      kind_(std::string(kind) + (kind.find('#') == kind.npos ? "#" : "")),
      shifts_(shifts.size()),
      layers_(shifts.size()) {
  for (size_t i = 0; i < shifts.size(); ++i) {
    assert(shifts[i] > 0 && shifts[i] < 8);
    shifts_[i].bits = shifts[i];
  }
}

void ShiftedRuns::open(uint64_t origin) {
  origin_ = origin;
  first_ = true;
  held_size_ = 0;
  for (Shift& shift : shifts_) shift.before_size = 0;
}

// Blocks are whole whatever the pieces, and each byte of them needs the one behind it.
void ShiftedRuns::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (held_size_ + bytes.size() <= kHeldBytes) {
      std::memcpy(held_ + held_size_, bytes.data(), bytes.size());
      held_size_ += bytes.size();
      return;
    }
    char work[kHeldBytes + kWorkBytes + 1 + kBehind];
    const size_t now = std::min(bytes.size(), kWorkBytes);
    std::memcpy(work, held_, held_size_);
    std::memcpy(work + held_size_, bytes.data(), now);
    const size_t size = held_size_ + now;
    const size_t used = (size - 1) / kTextBlockBytes * kTextBlockBytes;
    for (Shift& each : shifts_) shift(each, work, used);
    first_ = false;
    held_size_ = size - used;
    std::memcpy(held_, work + used, held_size_);
    bytes.remove_prefix(now);
  }
}

void ShiftedRuns::close(uint8_t rest, int rest_bits) {
  char work[kHeldBytes + 1 + kBehind];
  std::memcpy(work, held_, held_size_);
  work[held_size_] = static_cast<char>(rest_bits > 0 ? rest << (8 - rest_bits) : 0);
  for (Shift& each : shifts_) {
    const size_t size = rest_bits >= each.bits ? held_size_ : std::max<size_t>(held_size_, 1) - 1;
    if (size > 0) shift(each, work, size);
    become_noise(each);
  }
  held_size_ = 0;
}

void ShiftedRuns::read_short(std::string_view bytes, uint64_t origin, uint8_t rest, int rest_bits) {
  if (!may_hold(bytes, rest, rest_bits)) return;
  open(origin);
  write(bytes);
  close(rest, rest_bits);
}

// False for most words of a text, which is seen here for a part of what reading them costs.
bool ShiftedRuns::may_hold(std::string_view bytes, uint8_t rest, int rest_bits) const {
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    char work[64 + 1] = {};
    assert(bytes.size() <= kShortBytes);
    std::copy(bytes.begin(), bytes.end(), work);
    work[bytes.size()] = static_cast<char>(rest_bits > 0 ? rest << (8 - rest_bits) : 0);
    return std::any_of(shifts_.begin(), shifts_.end(), [&](const Shift& each) {
      const size_t size = rest_bits >= each.bits ? bytes.size() : std::max<size_t>(bytes.size(), 1) - 1;
      return size > 0 && may_hold_avx512(work, size, each.bits);
    });
  }
#endif
  return !bytes.empty() || rest_bits > 0;
}

void ShiftedRuns::boundary() {
  for (OutputLayer& layer : layers_) {
    if (layer.output != nullptr) layer.output->end();
    layer.output = nullptr;
  }
}

void ShiftedRuns::shift(Shift& shift, const char* bytes, size_t size) {
  char out[kFront + kHeldBytes + kWorkBytes + kBehind];
  auto* shift_all = shift_bytes;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    shift_all = shift_bytes_avx512;
  } else if (has_avx2()) {
    shift_all = shift_bytes_avx2;
  }
#endif
  shift_all(bytes, size, shift.bits, out + kFront);
  std::memset(out, 0, kFront);
  std::memcpy(out + kFront - shift.before_size, shift.before, shift.before_size);
  const char* text = out + kFront;
  if (first_ && (begins_file({text, size}) || has_zlib({text, std::min(size, kZlibBytes)}))) {
    begin(shift, Shift::State::file);
  }
  for (size_t at = 0; at < size; at += kBlocksAtOnce * kTextBlockBytes) {
    read(shift, text + at, std::min(size - at, kBlocksAtOnce * kTextBlockBytes));
  }
  if (size < kTextBlockBytes) return;
  shift.before_size = kTextBlockBytes;
  std::memcpy(shift.before, text + size - kTextBlockBytes, kTextBlockBytes);
}

// Up to kBlocksAtOnce blocks, of which only a run's last one may be cut short. The kFront bytes before can be read.
void ShiftedRuns::read(Shift& shift, const char* bytes, size_t size) {
  if (shift.state == Shift::State::file) return put(shift, {bytes, size});
  auto* look_all = look;
#if GATEHOUSE_AVX2
  if (has_avx512()) {
    look_all = look_avx512;
  } else if (has_avx2()) {
    look_all = look_avx2;
  }
#endif
  const size_t blocks = size / kTextBlockBytes;
  const Look found = blocks > 0 ? look_all(bytes, blocks) : Look{};
  // A file's first bytes may have been in the block before; where they end decides.
  const std::string_view all(bytes - (kLongestMagic - 1), kLongestMagic - 1 + size);
  const size_t file = found.file ? find_file(all) : all.npos;
  if (file == all.npos) {
    read_text(shift, bytes, blocks, found.text);
    if (shift.state == Shift::State::text) put(shift, {bytes + blocks * kTextBlockBytes, size % kTextBlockBytes});
    return;
  }
  const size_t last = file + 2 + (all[file] == '\x1f' ? 0 : 1) - (kLongestMagic - 1);
  read_text(shift, bytes, last / kTextBlockBytes, found.text);
  begin(shift, Shift::State::file);
  put(shift, all.substr(file));
}

void ShiftedRuns::read_text(Shift& shift, const char* bytes, size_t blocks, uint64_t text) {
  size_t block = 0;
  while (block < blocks) {
    const uint64_t ahead = text >> block;
    if (shift.state == Shift::State::noise) {
      if (ahead == 0) return;
      block += static_cast<size_t>(std::countr_zero(ahead));
      if (block >= blocks) return;
      begin(shift, Shift::State::text);
      put(shift, {bytes + block * kTextBlockBytes - kTextBlockBytes, kTextBlockBytes});
      continue;
    }
    // Text, and the block behind it.
    const size_t more = std::min(blocks - block, static_cast<size_t>(std::countr_one(ahead)) + 1);
    put(shift, {bytes + block * kTextBlockBytes, more * kTextBlockBytes});
    block += more;
    if (((text >> (block - 1)) & 1) == 0) become_noise(shift);
  }
}

size_t ShiftedRuns::find_file(std::string_view bytes) {
  size_t first = bytes.npos;
  for (const std::string_view magic : kMagics) first = std::min(first, bytes.find(magic));
  return first;
}

void ShiftedRuns::begin(Shift& shift, Shift::State state) {
  if (shift.state == Shift::State::noise) {
    const auto free =
        std::find_if(layers_.begin(), layers_.end(), [](const OutputLayer& layer) { return !layer.taken; });
    shift.layer = static_cast<size_t>(free - layers_.begin());
    free->taken = true;
  }
  shift.state = state;
  OutputLayer& layer = layers_[shift.layer];
  if (state == Shift::State::text && layer.output != nullptr) return layer.output->separate(origin_);
  if (layer.output != nullptr) layer.output->end();
  layer.output = host_.output(kind_ + std::to_string(shift.layer + 1));
  if (layer.output != nullptr) layer.output->begin({origin_, {}, {}, {}});
}

void ShiftedRuns::become_noise(Shift& shift) {
  if (shift.state != Shift::State::noise) layers_[shift.layer].taken = false;
  shift.state = Shift::State::noise;
}

void ShiftedRuns::put(Shift& shift, std::string_view bytes) {
  DecoderOutput* const output = layers_[shift.layer].output;
  if (output != nullptr && !bytes.empty()) output->write(bytes);
}

}  // namespace gatehouse::dlp
