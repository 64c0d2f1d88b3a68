#include "dlp/decode/joined_strings.h"

#include <algorithm>
#include <array>

#include "dlp/decode/byte_class.h"

namespace gatehouse::dlp {
namespace {

bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

constexpr std::array<std::string_view, 10> kOperators{"+", "++", ".", "..", "&", "||", "~", "<>", "\\", "^"};
// What a part of a secret may end in.
constexpr ByteClass kStringEnd("-0-9A-Za-z_+/=.!@#$%^*~", true);
constexpr std::string_view kPrefixes = "fFrRbBuULl@$";

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

}  // namespace

// Quotes in front of which a part of a secret may end, or which the block begins with, and behind which there is
// something that may put another string to it, or nothing yet.
const Mask& JoinedStringsDecoder::find(const TextBlock& block, Mask& some) const {
  const Mask& quotes = block[Sign::quote];
  const Mask& joins = block[Sign::join];
  some.size = quotes.size;
  const size_t count = some.word_count();
  uint64_t before = 1;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t strings = block[Sign::token].words[i] | block[Sign::above].words[i];
    const uint64_t next = i + 1 < count ? joins.words[i + 1] << 63 : 0;
    some.words[i] = quotes.words[i] & (strings << 1 | before) & (joins.words[i] >> 1 | next);
    before = strings >> 63;
  }
  const size_t last = some.size - 1;
  some.words[last / 64] |= quotes.words[last / 64] & uint64_t{1} << last % 64;
  return some;
}

EscapeKind JoinedStringsDecoder::read(std::string_view text, uint64_t position, bool nothing_more,
                                      Escape& escape) const {
  // What ends before the quote is a string with something in it.
  if (position == stretches().known()) return EscapeKind::none;
  const char before = stretches().at(position - 1);
  if (!kStringEnd.holds(before)) return EscapeKind::none;
  const EscapeKind unknown = nothing_more || text.size() >= kMaxEscapeBytes ? EscapeKind::none : EscapeKind::cut;
  size_t at = skip_spaces(text, 1);
  const size_t sign = at;
  while (at < text.size() && at - sign < 2 && std::string_view("+.&|~<>\\^").find(text[at]) != std::string_view::npos) {
    ++at;
  }
  if (at == text.size()) return unknown;
  if (at > sign) {
    const std::string_view given = text.substr(sign, at - sign);
    if (std::find(kOperators.begin(), kOperators.end(), given) == kOperators.end()) return EscapeKind::none;
  }
  at = skip_spaces(text, at);
  if (at < text.size() && kPrefixes.find(text[at]) != kPrefixes.npos) ++at;
  if (at + 1 >= text.size()) return unknown;
  // An empty string, or one that begins with white space, does not continue a secret.
  if (!is_quote(text[at]) || is_quote(text[at + 1]) || is_space(text[at + 1])) return EscapeKind::none;
  escape.used = at + 1;
  return EscapeKind::complete;
}

}  // namespace gatehouse::dlp
