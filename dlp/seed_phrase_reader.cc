#include "dlp/seed_phrase_reader.h"

#include <emmintrin.h>
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <span>

#include "dlp/seed_phrase_words.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMinWords = 12;
constexpr size_t kMaxSeparators = 14;  // between two words: ",\r\n      12. "
constexpr size_t kPhraseWords[] = {24, 21, 18, 15, 12};
constexpr int kWordBits = 11;
constexpr int kMinDifferent = 6;  // words; of 12 drawn at random hardly ever fewer than 10 are

enum class Kind : uint8_t { other, letter, separator };

constexpr std::array<Kind, 256> kKinds = [] {
  std::array<Kind, 256> kinds{};
  for (char c = 'a'; c <= 'z'; ++c) {
    kinds[static_cast<uint8_t>(c)] = Kind::letter;
    kinds[static_cast<uint8_t>(c) - 0x20] = Kind::letter;
  }
  for (const char c : std::string_view(" \t\r\n,.:-_\"')0123456789")) {
    kinds[static_cast<uint8_t>(c)] = Kind::separator;
  }
  return kinds;
}();

Kind kind_of(char c) { return kKinds[static_cast<uint8_t>(c)]; }

// The word of view[begin, end); -1 when it is none of the list.
int index_of(std::string_view letters) {
  if (letters.size() < kMinSeedWord || letters.size() > kMaxSeedWord) return -1;
  uint64_t word = 0;
  for (const char c : letters) word = append_letter(word, c);
  return seed_word_index(word);
}

// Whether so many letters may be a word of the list, without a branch; 8 bytes can be read whatever their number is.
bool may_be_word(const char* letters, size_t length) {
  static_assert(std::endian::native == std::endian::little && kMaxSeedWord == sizeof(uint64_t));
  uint64_t word = 0;
  std::memcpy(&word, letters, sizeof word);
  word = __builtin_bswap64(word | 0x2020202020202020) >> ((64 - 8 * length) & 63);
  return static_cast<int>(length - kMinSeedWord <= kMaxSeedWord - kMinSeedWord) &
         static_cast<int>(may_be_seed_word(word));
}

// Which of 16 bytes are in a range, as one bit each.
unsigned in_range(__m128i bytes, char first, char last) {
  const __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  const __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(static_cast<char>(last - first))), above);
  return static_cast<unsigned>(_mm_movemask_epi8(within));
}
unsigned letters_of(__m128i bytes) { return in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z'); }

// Whether the 16 bytes at `at` may be out of the midst of a phrase; 16 more are there, and as many before it if
// `has_before`. Nearly all else is told from one here, without a loop: it has a byte of another kind, a word too long
// or too short, or a word that is not of the list. `word` is where the word begins that is of it; 0 when there is none
// to look up.
bool may_be_phrase(const char* at, bool has_before, size_t& word) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const auto equal = [bytes](char c) {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))));
  };
  const unsigned letters = letters_of(bytes);
  const unsigned separators = equal(' ') | in_range(bytes, ',', '.') | in_range(bytes, '0', ':') |
                              in_range(bytes, '\t', '\n') | equal('\r') | equal('"') | equal('\'') | equal(')') |
                              equal('_');
  const unsigned one = separators & letters >> 1 & separators >> 2;
  const unsigned two = separators & letters >> 1 & letters >> 2 & separators >> 3;
  const unsigned pairs = letters & letters >> 1;
  const unsigned fours = pairs & pairs >> 2;
  const unsigned nine = fours & fours >> 4 & letters >> 8;
  const unsigned beginnings = letters & separators << 1;
  word = static_cast<size_t>(std::countr_zero(beginnings | 0x10000));
  const unsigned following = letters_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + word)));
  const bool may_be = may_be_word(at + word, static_cast<size_t>(std::countr_one(following)));
  // One branch for all: each alone is taken at random by text.
  const bool ends = static_cast<int>(beginnings != 0) & static_cast<int>(!may_be);
  const unsigned against = ((letters | separators) ^ 0xffff) | one | two | nine | static_cast<unsigned>(letters == 0) |
                           static_cast<unsigned>(ends);
  if (against != 0) return false;

  if (beginnings == 0) word = 0;
  const auto rest = static_cast<size_t>(std::countr_one(letters));  // of a word that began here or before
  if (rest == 0 || !has_before) return true;
  const unsigned preceding = letters_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at - 16)));
  const auto begun = static_cast<size_t>(std::countl_one(static_cast<uint16_t>(preceding)));
  return may_be_word(at - begun, begun + rest);
}

// BIP 39: the words' bits are the entropy, then as many bits of its SHA-256 as there are threes of words.
template <class Words>
bool checksum_holds(const Words& words, size_t first, size_t count) {
  std::array<uint8_t, 33> bits{};  // 24 words have 264
  for (size_t i = 0; i < count * kWordBits; ++i) {
    const bool bit = (words[first + i / kWordBits].index >> (kWordBits - 1 - i % kWordBits) & 1) != 0;
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | (bit ? 0x80 >> i % 8 : 0));
  }
  const size_t checksum_bits = count / 3;
  const size_t entropy_bytes = count * kWordBits / 33 * 4;
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bits.data(), entropy_bytes, digest.data());
  return (bits[entropy_bytes] ^ digest[0]) >> (8 - checksum_bits) == 0;
}

// Whether some of the words in a row are a whole phrase: those beside it may be of the sentence around.
template <class Words>
bool holds_phrase(const Words& words) {
  for (const size_t count : kPhraseWords) {
    for (size_t first = 0; first + count <= words.size(); ++first) {
      if (checksum_holds(words, first, count)) return true;
    }
  }
  return false;
}

// What holds the words of no wallet: a piece of the list itself, which everybody may have; a few words over and over
// ("true,false,false,true"), but for the phrases that are the standard's own samples, one word and another at the end.
template <class Words>
bool is_common(const Words& words) {
  const auto pairs_are = [&words](auto compare) {
    return std::adjacent_find(words.begin(), words.end(),
                              [&](const auto& a, const auto& b) { return !compare(a.index, b.index); }) == words.end();
  };
  if (pairs_are(std::less<>())) return true;
  std::vector<uint16_t> indices;
  for (const auto& word : words) indices.push_back(word.index);
  std::sort(indices.begin(), indices.end());
  const auto different = std::unique(indices.begin(), indices.end()) - indices.begin();
  if (different >= kMinDifferent) return false;
  const auto first_other =
      std::find_if(words.begin(), words.end(), [&words](const auto& word) { return word.index != words[0].index; });
  return first_other != words.end() - 1;
}

}  // namespace

const Rule& seed_phrase_rule() {
  static const Rule rule = [] {
    Rule made;
    made.id = "seed-phrase";
    made.title = "seed phrase of a wallet (BIP 39)";
    made.category = "credentials";
    made.severity = FindingAction::deny;
    made.unconfirmed = FindingAction::redact;
    made.direction = RuleDirection::out;
    made.source = "built in";
    return made;
  }();
  return rule;
}

void SeedPhraseReader::write(std::string_view bytes, const OnMatch& on_match) {
  // First what lies across the cut, in memory of our own, then the rest where it is.
  const size_t joined = std::min(bytes.size(), joint_.size() - kept_);
  std::memcpy(joint_.data() + kept_, bytes.data(), joined);
  const std::string_view joint(joint_.data(), kept_ + joined);
  scan(joint, position_ - kept_, false, on_match);
  if (joined < bytes.size()) scan(bytes, position_, false, on_match);

  position_ += bytes.size();
  constexpr size_t kKept = kLookBack + kLookAhead;
  const std::string_view last = bytes.size() >= kKept ? bytes : joint;
  kept_ = std::min(last.size(), kKept);
  std::memmove(joint_.data(), last.data() + last.size() - kept_, kept_);
}

void SeedPhraseReader::boundary(const OnMatch& on_match) { finish_piece(on_match); }

void SeedPhraseReader::end(const OnMatch& on_match) {
  finish_piece(on_match);
  position_ = cursor_ = 0;
}

void SeedPhraseReader::finish_piece(const OnMatch& on_match) {
  scan(std::string_view(joint_.data(), kept_), position_ - kept_, true, on_match);
  if (following_) {
    if (letters_ > 0) take_word();
    report(on_match);
    stop_following();
  }
  kept_ = 0;
  cursor_ = position_;
}

// Looks at what can be looked at in `view`, whose first byte is at `base`. A probe waits until all is there that it may
// need, so it sees the same however the input is cut.
void SeedPhraseReader::scan(std::string_view view, uint64_t base, bool is_end, const OnMatch& on_match) {
  const uint64_t end = base + view.size();
  const uint64_t needed = is_end ? 1 : kLookAhead;
  while (true) {
    if (following_) follow(view, base, on_match);
    if (following_ || cursor_ + needed > end) return;
    const size_t at = cursor_ - base;
    size_t word = 0;
    const bool may_be = kind_of(view[at]) != Kind::other && (is_end || may_be_phrase(view.data() + at, at >= 16, word));
    if (!may_be || !probe(view, at + word)) {
      cursor_ += kStride;
      continue;
    }
    begin_ += base;
    cursor_ = begin_ + text_.size();
  }
}

// Whether the byte at `at` is in a word of the list, or between words and the next one is in the list. Then following_,
// and begin_ (in the view), text_ and words_ are of all the words up to that one: of those before, the first began less
// than a stride ago, or an earlier probe would have met them.
bool SeedPhraseReader::probe(std::string_view view, size_t at) {
  const size_t last = std::min(view.size(), at + kLookAhead);
  const size_t first = at < kLookBack ? 0 : at - kLookBack;
  const auto letters_begin = [&](size_t end) {
    while (end > first && kind_of(view[end - 1]) == Kind::letter) --end;
    return end;
  };
  size_t begin = at;
  if (kind_of(view[at]) == Kind::letter) {
    begin = letters_begin(at);
  } else {
    while (begin < last && begin - at <= kMaxSeparators && kind_of(view[begin]) == Kind::separator) ++begin;
  }
  size_t end = begin;
  while (end < last && end - begin <= kMaxSeedWord && kind_of(view[end]) == Kind::letter) ++end;
  // A word that touches the far end of what is looked at may have begun before.
  const auto known = [&](size_t from, size_t to) {
    return from > first || first == 0 ? index_of(view.substr(from, to - from)) : -1;
  };
  int index = known(begin, end);
  if (index < 0) return false;

  std::array<Word, (kLookBack + kLookAhead) / (kMinSeedWord + 1) + 1> found{};  // backwards
  size_t count = 0;
  size_t oldest = begin;
  found[count++] = {static_cast<uint16_t>(index), static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  while (count < found.size()) {
    size_t gap = oldest;
    while (gap > first && oldest - gap <= kMaxSeparators && kind_of(view[gap - 1]) == Kind::separator) --gap;
    if (gap == oldest || oldest - gap > kMaxSeparators) break;
    const size_t from = letters_begin(gap);
    index = known(from, gap);
    if (index < 0) break;
    found[count++] = {static_cast<uint16_t>(index), static_cast<uint32_t>(from), static_cast<uint32_t>(gap)};
    oldest = from;
  }

  // Mostly the next word ends it, which is seen here for less than following it would cost.
  size_t next = end;
  while (next < view.size() && next - end <= kMaxSeparators && kind_of(view[next]) == Kind::separator) ++next;
  size_t next_end = next;
  while (next_end < view.size() && next_end - next <= kMaxSeedWord && kind_of(view[next_end]) == Kind::letter)
    ++next_end;
  if (next_end < view.size() && count < kMinWords && index_of(view.substr(next, next_end - next)) < 0) return false;

  following_ = true;
  begin_ = oldest;
  text_.assign(view.substr(oldest, end - oldest));
  words_.clear();
  while (count-- > 0) {
    Word word = found[count];
    word.begin -= static_cast<uint32_t>(oldest);
    word.end -= static_cast<uint32_t>(oldest);
    words_.push_back(word);
  }
  word_ = letters_ = separators_ = 0;
  return true;
}

// Reads on until the words end or the view does.
void SeedPhraseReader::follow(std::string_view view, uint64_t base, const OnMatch& on_match) {
  for (size_t at = cursor_ - base; at < view.size(); ++at, ++cursor_) {
    if (!take(view[at])) {
      report(on_match);
      stop_following();
      cursor_ += kStride;  // other words can begin behind this byte at the earliest
      return;
    }
    if (words_.size() == kMaxWords) {
      report(on_match);
      words_.clear();
      text_.clear();
      begin_ = cursor_ + 1;
    }
  }
}

// The next byte; false when the words ended before it, or at it.
bool SeedPhraseReader::take(char c) {
  switch (kind_of(c)) {
    case Kind::letter:
      if (letters_ == kMaxSeedWord || (letters_ == 0 && separators_ == 0)) return false;
      word_ = append_letter(word_, c);
      ++letters_;
      text_ += c;
      return true;
    case Kind::separator:
      if (letters_ > 0 && !take_word()) return false;
      text_ += c;
      return ++separators_ <= kMaxSeparators;
    case Kind::other:
      if (letters_ > 0) take_word();
      return false;
  }
  return false;
}

// What was letters so far is a word of the list.
bool SeedPhraseReader::take_word() {
  const int index = letters_ < kMinSeedWord ? -1 : seed_word_index(word_);
  const auto end = static_cast<uint32_t>(text_.size());
  if (index >= 0) words_.push_back({static_cast<uint16_t>(index), end - static_cast<uint32_t>(letters_), end});
  word_ = letters_ = separators_ = 0;
  return index >= 0;
}

// Words that are apart in the same manner make a phrase: source code has other words of the list side by side, in a
// hyphenated name say, but not twelve times the same way.
void SeedPhraseReader::report(const OnMatch& on_match) {
  if (words_.size() < kMinWords) return;
  size_t first = 0;
  std::string manner = manner_after(0);
  for (size_t word = 1; word < words_.size(); ++word) {
    std::string next = word + 1 < words_.size() ? manner_after(word) : std::string();
    if (next == manner) continue;
    report(first, word + 1, on_match);
    first = word;
    manner = std::move(next);
  }
}

// What is between a word and the next, without numbers, and white space being all one.
std::string SeedPhraseReader::manner_after(size_t word) const {
  std::string manner;
  const auto between = std::string_view(text_).substr(words_[word].end, words_[word + 1].begin - words_[word].end);
  for (const char c : between) {
    if (c >= '0' && c <= '9') continue;
    const char kept = c == '\t' || c == '\r' || c == '\n' ? ' ' : c;
    if (kept != ' ' || manner.empty() || manner.back() != ' ') manner += kept;
  }
  return manner;
}

// The words [first, last), if they are a phrase.
void SeedPhraseReader::report(size_t first, size_t last, const OnMatch& on_match) {
  if (last - first < kMinWords) return;
  const std::span<const Word> words(words_.data() + first, last - first);
  if (is_common(words)) return;
  const bool confirmed = holds_phrase(words);
  const Rule& rule = seed_phrase_rule();
  Match match;
  match.rule = &rule;
  match.begin = begin_ + words.front().begin;
  match.end = begin_ + words.back().end;
  match.secret = std::string_view(text_).substr(words.front().begin, words.back().end - words.front().begin);
  match.severity = confirmed ? rule.severity : rule.unconfirmed;
  match.confidence = confirmed ? Confidence::high : Confidence::medium;
  on_match(match);
}

void SeedPhraseReader::stop_following() {
  following_ = false;
  text_.clear();
  words_.clear();
  word_ = letters_ = separators_ = 0;
}

std::vector<std::unique_ptr<LayerReader>> SeedPhraseSource::open(const StreamInfo& stream) {
  std::vector<std::unique_ptr<LayerReader>> readers;
  if (stream.direction == Direction::out) readers.push_back(std::make_unique<SeedPhraseReader>());
  return readers;
}

}  // namespace gatehouse::dlp
