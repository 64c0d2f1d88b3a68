#include "dlp/rule_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <cassert>

#include "dlp/entropy.h"
#include "dlp/rule_pattern.h"
#include "dlp/rule_placeholder.h"
#include "dlp/rule_prefix.h"

namespace gatehouse::dlp {

namespace {

// Places to try one by one, which costs less than a search that only ends with the text, and for which the automaton
// may not fit into its memory and be built anew each time: of all, or of those whose byte says that a match may begin.
constexpr size_t kFewPlaces = 4;
constexpr size_t kFewLikelyPlaces = 32;

}  // namespace

struct RuleMatcher::Patterns {
  explicit Patterns(const Rule& rule)
      : pattern(rule.pattern, re2_options(rule.info.program)), begins(first_bytes(rule.pattern)) {
    assert(pattern.ok());
    for (const auto& text : rule.allow) {
      allow.push_back(std::make_unique<const RE2>(text, re2_options()));
      assert(allow.back()->ok());
    }
  }

  RE2 pattern;
  const std::array<bool, 256> begins;  // by byte, whether a match may begin with it
  const size_t few = std::find(begins.begin(), begins.end(), false) == begins.end() ? kFewPlaces : kFewLikelyPlaces;
  std::vector<std::unique_ptr<const RE2>> allow;
};

RuleMatcher::RuleMatcher(const Rule& rule, size_t reach)
    : rule_(rule), reach_(reach), validator_(rule.validator.empty() ? nullptr : find_validator(rule.validator)) {
  assert(rule.validator.empty() || validator_ != nullptr);
}

RuleMatcher::~RuleMatcher() = default;

const RuleMatcher::Patterns& RuleMatcher::patterns() const {
  std::call_once(compiled_, [this] { patterns_ = std::make_unique<const Patterns>(rule_); });
  return *patterns_;
}

std::optional<MatchSpan> RuleMatcher::match_at(const Patterns& patterns, std::string_view text, size_t begin,
                                               size_t end) const {
  end = std::min(begin + reach_, end);
  // The automaton alone says no at the first byte that does not fit; asked for groups, RE2 might choose a slower way.
  if (!patterns.pattern.Match(text, begin, end, RE2::ANCHOR_START, nullptr, 0)) return std::nullopt;
  std::vector<re2::StringPiece> groups(static_cast<size_t>(rule_.group) + 1);
  const bool matches = patterns.pattern.Match(text, begin, end, RE2::ANCHOR_START, groups.data(), rule_.group + 1);
  assert(matches);
  (void)matches;
  const re2::StringPiece& group = groups[static_cast<size_t>(rule_.group)];
  const re2::StringPiece& secret = group.data() == nullptr ? groups[0] : group;  // the group may not have taken part
  const auto secret_begin = static_cast<size_t>(secret.data() - text.data());
  return MatchSpan{begin, secret_begin, secret_begin + secret.size()};
}

std::optional<MatchSpan> RuleMatcher::find(std::string_view text, size_t from, size_t last, size_t end) const {
  const Patterns& compiled = patterns();
  end = std::min(last + reach_, end);
  const auto may_begin = [&](size_t at) { return compiled.begins[static_cast<uint8_t>(text[at])]; };
  if (from >= text.size()) return std::nullopt;
  last = std::min(last, text.size() - 1);
  size_t places = 0;
  for (size_t at = from; at <= last; ++at) places += may_begin(at) ? 1 : 0;
  if (places <= compiled.few) {
    for (; from <= last; ++from) {
      if (!may_begin(from)) continue;
      if (const auto match = match_at(compiled, text, from, end)) return match;
    }
    return std::nullopt;
  }
  while (from <= last) {
    re2::StringPiece whole;
    if (!compiled.pattern.Match(text, from, end, RE2::UNANCHORED, &whole, 1)) return std::nullopt;
    from = static_cast<size_t>(whole.data() - text.data());
    if (from > last) return std::nullopt;
    if (rule_.group == 0 && whole.size() <= reach_) return MatchSpan{from, from, from + whole.size()};
    if (const auto match = match_at(compiled, text, from, end)) return match;
    ++from;  // that one was longer than any match may be
  }
  return std::nullopt;
}

std::optional<Judgement> RuleMatcher::judge(std::string_view secret) const {
  if (secret.empty() || (rule_.entropy > 0 && shannon_entropy(secret) < rule_.entropy)) return std::nullopt;
  const auto& allow = patterns().allow;
  const auto is_allowed = [&](const auto& pattern) { return RE2::FullMatch(secret, *pattern); };
  if (std::any_of(allow.begin(), allow.end(), is_allowed)) return std::nullopt;
  if (is_placeholder(secret, rule_.keywords)) return std::nullopt;

  if (validator_ == nullptr) return Judgement{rule_.severity, Confidence::medium};
  if (validator_(secret)) return Judgement{rule_.severity, Confidence::high};
  return Judgement{rule_.unconfirmed, Confidence::low};
}

}  // namespace gatehouse::dlp
