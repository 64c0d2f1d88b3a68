#include "common/policy/request_query.h"

#include <algorithm>

#include "common/policy/request_path.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

using Decode = std::string (*)(std::string_view);

// As forms write it (application/x-www-form-urlencoded).
std::string decode_form(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return decode_escapes(spaced);
}

std::string decode_times(std::string_view text, Decode decode, size_t times) {
  std::string decoded(text);
  for (; times > 0; --times) decoded = decode(decoded);
  return decoded;
}

// Cut at each of `separators`, and names and values then decoded `times` times.
Parameters cut(std::string_view query, std::string_view separators, Decode decode, size_t times) {
  Parameters parameters;
  for (size_t at = 0; at <= query.size() && parameters.size() <= kMaxQueryParameters;) {
    const size_t end = std::min(query.find_first_of(separators, at), query.size());
    const std::string_view piece = query.substr(at, end - at);
    at = end + 1;
    if (piece.empty()) continue;
    const size_t equals = std::min(piece.find('='), piece.size());
    parameters.push_back({decode_times(piece.substr(0, equals), decode, times),
                          decode_times(piece.substr(std::min(equals + 1, piece.size())), decode, times)});
  }
  return parameters;
}

}  // namespace

RequestQuery RequestQuery::parse(std::string_view target) {
  RequestQuery query;
  const size_t mark = target.find('?');
  const std::string_view raw = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  query.unreadable_ = raw.find('#') != std::string_view::npos || !has_valid_escapes(raw) || has_control_character(raw);
  for (const Decode decode : {Decode{decode_escapes}, Decode{decode_form}}) {
    if (!query.unreadable_) query.read(raw, decode);
  }
  if (query.unreadable_) query.readings_.clear();
  return query;
}

void RequestQuery::read(std::string_view raw, std::string (*decode)(std::string_view)) {
  // The text after no decoding, one, two...: the last has no escape left.
  std::vector<std::string> levels{std::string(raw)};
  for (;;) {
    std::string next = decode(levels.back());
    if (next == levels.back() || (levels.size() > 1 && levels.back().find('%') == std::string::npos)) break;
    if (levels.size() > kMaxEscapeLevels || has_control_character(next)) {
      unreadable_ = true;
      return;
    }
    levels.push_back(std::move(next));
  }
  // Decoded `before` times, cut, and decoded again up to `times` in all; where there is something to decode, at least
  // once.
  const size_t least = std::min<size_t>(levels.size() - 1, 1);
  for (size_t before = 0; before < levels.size(); ++before) {
    for (size_t times = std::max(before, least); times < levels.size(); ++times) {
      for (const std::string_view separators : {"&", "&;"}) {
        auto reading = cut(levels[before], separators, decode, times - before);
        if (reading.size() > kMaxQueryParameters) unreadable_ = true;
        if (unreadable_) return;
        const bool known = std::find(readings_.begin(), readings_.end(), reading) != readings_.end();
        if (!known) readings_.push_back(std::move(reading));
      }
    }
  }
}

std::string loose_parameter_name(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of(" +?"), name.size()));

  if (const size_t bracket = name.find('['); bracket != std::string_view::npos && bracket > 0) {
    name = name.substr(0, bracket);
  }
  std::string loose = fold_case(name);
  for (char& c : loose) {
    if (c == '.' || c == ' ' || c == '+' || c == '[') c = '_';
  }
  return loose;
}

}  // namespace gatehouse::policy
