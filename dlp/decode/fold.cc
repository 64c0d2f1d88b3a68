#include "dlp/decode/fold.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string>
#include <vector>

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxTextBytes = 8;

// Letters and signs that NFKC leaves alone, in pairs: the ASCII one, and those that look like it.
struct Lookalikes {
  char ascii;
  const char32_t* characters;
};
constexpr Lookalikes kLookalikes[] = {
    {'A', U"АΑᎪ"}, {'B', U"ВΒᏴ"},  {'C', U"СϹᏟ"},     {'D', U"Ꭰ"},        {'E', U"ЕΕᎬ"},  {'F', U"Ϝ"},   {'G', U"ԌᏀ"},
    {'H', U"НΗᎻ"}, {'I', U"ІΙӀᏆ"}, {'J', U"ЈᎫͿ"}, {'K', U"КΚᏦ"},      {'L', U"ᏞԼ"},   {'M', U"МΜᎷ"}, {'N', U"Ν"},
    {'O', U"ОΟՕ"}, {'P', U"РΡᏢ"},  {'Q', U"Ԛ"},       {'S', U"ЅᏚՏ"},      {'T', U"ТΤᎢ"},  {'U', U"Ս"},   {'V', U"ѴᏙ"},
    {'W', U"ԜᎳ"},  {'X', U"ХΧ"},   {'Y', U"УΥҮᎩ"},    {'Z', U"ΖᏃ"},       {'a', U"аɑαᴀ"}, {'b', U"Ьʙ"},  {'c', U"сϲᴄ"},
    {'d', U"ԁᴅ"},  {'e', U"еҽᴇ"},  {'g', U"ɡցɢ"},     {'h', U"һհʜ"},      {'i', U"іιıɪ"}, {'j', U"јϳᴊ"}, {'k', U"кκᴋ"},
    {'l', U"ӏʟ"},  {'m', U"мᴍ"},   {'n', U"ոηɴ"},     {'o', U"оοօᴏ"},     {'p', U"рρᴘ"},  {'q', U"ԛզ"},  {'r', U"ʀг"},
    {'s', U"ѕꜱ"},  {'t', U"тτᴛ"},  {'u', U"սυᴜ"},     {'v', U"ѵνᴠ"},      {'w', U"ԝωᴡ"},  {'x', U"хχ"},  {'y', U"уүγʏ"},
    {'z', U"ᴢ"},   {'0', U"০"},    {'3', U"З"},       {'-', U"‐‑‒–—―−˗"}, {'_', U"ˍ"},    {'/', U"⁄∕"},  {':', U"։∶"},
    {'.', U"ꓸ"},
};

// Combining marks, spaces without width, marks of direction, variation selectors, tags.
struct Range {
  uint32_t first;
  uint32_t last;
};
constexpr Range kInvisible[] = {
    {0xad, 0xad},     {0x300, 0x36f},   {0x483, 0x489},     {0x61c, 0x61c},     {0x115f, 0x1160}, {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},   {0x200b, 0x200f},   {0x202a, 0x202e}, {0x2060, 0x206f},
    {0x20d0, 0x20ff}, {0x2800, 0x2800}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

// Letters and digits in styles and frames, beyond the first plane.
constexpr Range kStyled[] = {{0x1d400, 0x1d7ff}, {0x1f100, 0x1f1ff}, {0x1fbf0, 0x1fbf9}};
// Of the first plane, these stand for nothing in ASCII: CJK and Hangul, surrogates, private use.
constexpr Range kPlain[] = {{0x3400, 0xa4cf}, {0xac00, 0xd7a3}, {0xd800, 0xf8ff}};

bool is_in(const Range& range, uint32_t character) { return character >= range.first && character <= range.last; }

constexpr uint16_t kStays = 0;
constexpr uint16_t kNothing = 1;

// For each character its text's number; texts 0 and 1 are kStays and kNothing.
class FoldTable {
 public:
  FoldTable() : first_plane_(0x10000, kStays) {
    texts_ = {"", ""};
    for (unsigned c = ' '; c < 0x7f; ++c) number_of(std::string(1, static_cast<char>(c)));
    for (uint32_t c = 0x80; c < 0x10000; ++c) {
      const bool plain =
          std::any_of(std::begin(kPlain), std::end(kPlain), [&](auto& range) { return is_in(range, c); });
      if (!plain) first_plane_[c] = compatible(c);
    }
    digits();
    for (const Range& range : kStyled) {
      styled_.emplace_back();
      for (uint32_t c = range.first; c <= range.last; ++c) styled_.back().push_back(compatible(c));
    }
    // The segmented digits of later Unicode versions than the library's.
    for (uint32_t i = 0; i < 10; ++i) styled_[2][i] = number_of(std::string(1, static_cast<char>('0' + i)));
    for (const Lookalikes& row : kLookalikes) {
      for (const char32_t* c = row.characters; *c != 0; ++c) first_plane_[*c] = number_of(std::string(1, row.ascii));
    }
    for (const Range& range : kInvisible) {
      for (uint32_t c = range.first; c <= range.last && c < 0x10000; ++c) first_plane_[c] = kNothing;
    }
  }

  Folded find(uint32_t character) const {
    if (character < 0x10000) return folded(first_plane_[character]);
    for (size_t i = 0; i < styled_.size(); ++i) {
      if (is_in(kStyled[i], character)) return folded(styled_[i][character - kStyled[i].first]);
    }
    for (const Range& range : kInvisible) {
      if (is_in(range, character)) return {Fold::nothing, {}};
    }
    return {};
  }

 private:
  Folded folded(uint16_t number) const {
    if (number == kStays) return {};
    if (number == kNothing) return {Fold::nothing, {}};
    return {Fold::text, texts_[number]};
  }

  uint16_t number_of(const std::string& text) {
    const auto known = std::find(texts_.begin() + 2, texts_.end(), text);
    if (known != texts_.end()) return static_cast<uint16_t>(known - texts_.begin());
    texts_.push_back(text);
    return static_cast<uint16_t>(texts_.size() - 1);
  }

  // By NFKC, if that is ASCII.
  uint16_t compatible(uint32_t character) {
    std::array<utf8proc_int32_t, 32> parts;
    int boundary = 0;
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(character), parts.data(), parts.size(),
                                static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE), &boundary);
    if (count <= 0 || static_cast<size_t>(count) > kMaxTextBytes) return kStays;
    std::string text;
    bool letters = false;
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = parts[static_cast<size_t>(i)];
      if (part < 0x20 || part > 0x7e) return kStays;
      text += static_cast<char>(part);
      letters |= std::isalnum(part) != 0;
    }
    // Dots and the like that prose is full of.
    return text.size() == 1 || letters ? number_of(text) : kStays;
  }

  // Decimal digits of other scripts stand in tens, in order.
  void digits() {
    uint32_t first = 0;
    for (uint32_t c = 0x80; c < 0x10000; ++c) {
      if (utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_ND) {
        first = 0;
        continue;
      }
      if (first == 0) first = c;
      first_plane_[c] = number_of(std::string(1, static_cast<char>('0' + (c - first) % 10)));
    }
  }

  std::vector<std::string> texts_;
  std::vector<uint16_t> first_plane_;
  std::vector<std::vector<uint16_t>> styled_;
};

}  // namespace

Folded fold(uint32_t character) {
  static const FoldTable table;
  return table.find(character);
}

}  // namespace gatehouse::dlp
