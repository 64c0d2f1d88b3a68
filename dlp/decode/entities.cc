#include "dlp/decode/entities.h"

#include <algorithm>
#include <array>
#include <bit>

#include "dlp/decode/hex.h"

namespace gatehouse::dlp {
namespace {

struct Name {
  std::string_view name;
  uint32_t character;
};

// Of ASCII, and what is invisible. In the order of the names.
constexpr std::array kNames{
    Name{"DiacriticalGrave", '`'},
    Name{"Hat", '^'},
    Name{"InvisibleComma", 0x2063},
    Name{"InvisibleTimes", 0x2062},
    Name{"NewLine", '\n'},
    Name{"NoBreak", 0x2060},
    Name{"NonBreakingSpace", 0xa0},
    Name{"Tab", '\t'},
    Name{"UnderBar", '_'},
    Name{"VerticalLine", '|'},
    Name{"ZeroWidthSpace", 0x200b},
    Name{"amp", '&'},
    Name{"apos", '\''},
    Name{"ast", '*'},
    Name{"bsol", '\\'},
    Name{"colon", ':'},
    Name{"comma", ','},
    Name{"commat", '@'},
    Name{"dash", 0x2010},
    Name{"dollar", '$'},
    Name{"equals", '='},
    Name{"excl", '!'},
    Name{"grave", '`'},
    Name{"gt", '>'},
    Name{"hyphen", 0x2010},
    Name{"lbrace", '{'},
    Name{"lbrack", '['},
    Name{"lcub", '{'},
    Name{"lowbar", '_'},
    Name{"lpar", '('},
    Name{"lsqb", '['},
    Name{"lt", '<'},
    Name{"midast", '*'},
    Name{"minus", 0x2212},
    Name{"nbsp", 0xa0},
    Name{"num", '#'},
    Name{"percnt", '%'},
    Name{"period", '.'},
    Name{"plus", '+'},
    Name{"quest", '?'},
    Name{"quot", '"'},
    Name{"rbrace", '}'},
    Name{"rbrack", ']'},
    Name{"rcub", '}'},
    Name{"rpar", ')'},
    Name{"rsqb", ']'},
    Name{"semi", ';'},
    Name{"shy", 0xad},
    Name{"sol", '/'},
    Name{"verbar", '|'},
    Name{"vert", '|'},
    Name{"zwj", 0x200d},
    Name{"zwnj", 0x200c},
};
constexpr size_t kMaxNameBytes = 16;
static_assert(std::is_sorted(kNames.begin(), kNames.end(),
                             [](const Name& a, const Name& b) { return a.name < b.name; }));

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

EscapeKind read_number(std::string_view text, bool nothing_more, Escape& escape, bool& cut_off) {
  size_t at = 2;
  const bool hex = at < text.size() && (text[at] == 'x' || text[at] == 'X');
  if (hex) ++at;
  const size_t first = at;
  uint32_t value = 0;
  while (at < text.size() && (hex ? kHexClass.holds(text[at]) : text[at] >= '0' && text[at] <= '9')) {
    value = std::min<uint32_t>(value * (hex ? 16 : 10) + hex_value(text[at]), 0x110000);
    ++at;
  }
  if (at == text.size() && !nothing_more && at < kMaxEscapeBytes) return EscapeKind::cut;
  if (at == first) return EscapeKind::none;
  cut_off = at == kMaxEscapeBytes && value < 0x110000;
  if (at < text.size() && text[at] == ';') ++at;
  escape.used = at;
  escape.add_character(value);
  return EscapeKind::complete;
}

}  // namespace

// Those in front of a letter, a digit or a '#', or of nothing yet.
const Mask& EntityDecoder::find(const TextBlock& block, Mask& some) const {
  const Mask& signs = block[Sign::ampersand];
  const Mask& words = block[Sign::word];
  const Mask& hashes = block[Sign::hash];
  some.size = block.bytes().size();
  const size_t count = some.word_count();
  for (size_t i = 0; i < count; ++i) {
    const uint64_t next = i + 1 < count ? (words.words[i + 1] | hashes.words[i + 1]) << 63 : 0;
    some.words[i] = signs.words[i] & ((words.words[i] | hashes.words[i]) >> 1 | next);
  }
  const size_t last = some.size - 1;
  some.words[last / 64] |= signs.words[last / 64] & uint64_t{1} << last % 64;
  return some;
}

EscapeKind EntityDecoder::read(std::string_view text, uint64_t /*position*/, bool nothing_more, Escape& escape) const {
  if (text.size() > 1 && text[1] == '#') {
    bool cut_off = false;
    const EscapeKind kind = read_number(text, nothing_more, escape, cut_off);
    if (cut_off) refuse_zeros("html");
    return kind;
  }
  size_t end = 1;
  while (end < text.size() && end <= kMaxNameBytes + 1 && is_alphanumeric(text[end])) ++end;
  if (end == text.size() && !nothing_more && end <= kMaxNameBytes) return EscapeKind::cut;
  if (end == text.size() || text[end] != ';') return EscapeKind::none;
  const std::string_view name = text.substr(1, end - 1);
  const auto* known = std::lower_bound(kNames.begin(), kNames.end(), name,
                                       [](const Name& a, std::string_view b) { return a.name < b; });
  if (known == kNames.end() || known->name != name) return EscapeKind::none;
  escape.used = end + 1;
  escape.add_character(known->character);
  return EscapeKind::complete;
}

}  // namespace gatehouse::dlp
