#include "common/policy/source_text.h"

#include <algorithm>
#include <numeric>

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxShownLineBytes = 120;
constexpr size_t kMaxSuggestionBytes = 64;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string shown(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    if (c == '\t') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (find_invalid_utf8(safe)) {
    std::replace_if(
        safe.begin(), safe.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  }
  return safe;
}

// The number of single-character insertions, deletions and replacements between two words (Levenshtein).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

int SourceText::line_at(size_t offset) const {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return static_cast<int>(std::count(text.begin(), end, '\n')) + 1;
}

Error SourceText::error_at(size_t offset, std::string_view message) const {
  offset = std::min(offset, text.size());
  const std::string_view all = text;
  const size_t newline_before = offset == 0 ? std::string_view::npos : all.rfind('\n', offset - 1);
  const size_t begin = newline_before == std::string_view::npos ? 0 : newline_before + 1;
  const size_t end = std::min(all.find('\n', offset), all.size());
  std::string_view before = all.substr(begin, offset - begin);
  std::string_view after = all.substr(offset, end - offset);
  const size_t column = count_characters(shown(before)) + 1;

  std::string_view cut_before;
  std::string_view cut_after;
  if (before.size() + after.size() > kMaxShownLineBytes) {
    size_t keep = std::min(before.size(), kMaxShownLineBytes / 2);
    while (keep > 0 && is_continuation(before[before.size() - keep])) --keep;
    if (keep < before.size()) cut_before = "...";
    before.remove_prefix(before.size() - keep);
    keep = std::min(after.size(), kMaxShownLineBytes - keep);
    while (keep > 0 && keep < after.size() && is_continuation(after[keep])) --keep;
    if (keep < after.size()) cut_after = "...";
    after = after.substr(0, keep);
  }
  if (after.ends_with('\r')) after.remove_suffix(1);
  const std::string left = fmt::format("{}{}", cut_before, shown(before));
  return Error(fmt::format("{}:{}:{}: {}\n{}{}{}\n{}^", name, line_at(offset), column, message, left, shown(after),
                           cut_after, std::string(count_characters(left), ' ')));
}

std::string Place::to_string() const { return fmt::format("{}:{}", source->name, line()); }

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                          : lead >= 0xe0 && lead <= 0xef ? 3
                          : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                         : 0;
    if (length == 0 || i + length > text.size()) return i;
    for (size_t k = 1; k < length; ++k) {
      if (!is_continuation(text[i + k])) return i;
    }
    const unsigned second = byte(i + 1);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool surrogate = lead == 0xed && second >= 0xa0;
    const bool too_large = lead == 0xf4 && second >= 0x90;
    if (overlong || surrogate || too_large) return i;
    i += length;
  }
  return std::nullopt;
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& valid) {
  if (word.size() > kMaxSuggestionBytes) return {};
  std::string_view nearest;
  size_t least = std::max<size_t>(2, word.size() / 2);  // farther than this is another word, not a slip
  for (const auto candidate : valid) {
    const size_t distance = edit_distance(word, candidate);
    if (distance <= least && distance < std::max(word.size(), candidate.size())) {
      if (!nearest.empty() && distance == least) continue;
      nearest = candidate;
      least = distance;
    }
  }
  return nearest.empty() ? std::string() : fmt::format("; did you mean '{}'?", nearest);
}

}  // namespace gatehouse::policy
