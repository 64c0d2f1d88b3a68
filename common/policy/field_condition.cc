#include "common/policy/field_condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

Met both(Met a, Met b) { return std::min(a, b); }

// Of two readings of the same request.
Met either(Met a, Met b) { return a == b ? a : Met::unsure; }

struct Occurrence {
  bool exact = false;  // named as the condition has it, not only alike
  std::string_view value;
};

// How names and values compare: query parameters and header fields differ.
struct Parameterwise {
  static std::string loose(std::string_view name) { return loose_parameter_name(name); }
  static bool same(std::string_view a, std::string_view b) { return a == b; }
  static constexpr Case kNames = Case::told_apart;

  static Met fits(const std::string& glob, std::string_view value) {
    if (glob_matches(glob, value, Case::told_apart)) return Met::yes;
    return glob_matches(glob, value, Case::ignored) ? Met::unsure : Met::no;
  }
};
struct Fieldwise {
  static std::string loose(std::string_view name) { return loose_field_name(name); }
  static bool same(std::string_view a, std::string_view b) { return fold_case(a) == fold_case(b); }
  static constexpr Case kNames = Case::ignored;

  // A member of a list (RFC 9110 section 5.6.1) may be all that the server goes by.
  static Met fits(const std::string& glob, std::string_view value) {
    if (glob_matches(glob, value, Case::told_apart)) return Met::yes;
    if (glob_matches(glob, value, Case::ignored)) return Met::unsure;
    for (size_t at = 0; at <= value.size();) {
      const size_t end = std::min(value.find_first_of(",;", at), value.size());
      std::string_view member = value.substr(at, end - at);
      member.remove_prefix(std::min(member.find_first_not_of(" \t"), member.size()));
      member = member.substr(0, member.find_last_not_of(" \t") + 1);
      if (glob_matches(glob, member, Case::ignored)) return Met::unsure;
      at = end + 1;
    }
    return Met::no;
  }
};

template <class Way>
Met fits_one(const FieldCondition& condition, std::string_view value) {
  Met best = Met::no;
  for (const auto& glob : condition.values) best = std::max(best, Way::fits(glob, value));
  return best;
}

Met present(const std::vector<Occurrence>& found) {
  if (found.empty()) return Met::no;
  return std::any_of(found.begin(), found.end(), [](const auto& one) { return one.exact; }) ? Met::yes : Met::unsure;
}

template <class Way>
Met judge(const FieldCondition& condition, const std::vector<Occurrence>& found) {
  // Which of two a server goes by cannot be known.
  if (found.size() > 1 && !condition.names_many()) return Met::unsure;
  switch (condition.wants) {
    case FieldCondition::Wants::present:
      return present(found);
    case FieldCondition::Wants::absent: {
      const Met there = present(found);
      return there == Met::yes ? Met::no : there == Met::no ? Met::yes : Met::unsure;
    }
    case FieldCondition::Wants::values:
      break;
  }
  if (found.empty()) return Met::no;
  std::optional<Met> all;
  for (const auto& one : found) {
    Met fits = fits_one<Way>(condition, one.value);
    if (!one.exact && fits == Met::yes) fits = Met::unsure;
    all = all ? either(*all, fits) : fits;
  }
  return *all;
}

// What of `fields` (each with a name and a value) the condition speaks of.
template <class Way, class Fields>
std::vector<Occurrence> find(const FieldConditions& conditions, const FieldCondition& condition, const Fields& fields) {
  std::vector<Occurrence> found;
  const std::string loose = Way::loose(condition.name);
  for (const auto& [name, value] : fields) {
    if (!condition.names_many()) {
      if (Way::loose(name) == loose) found.push_back({Way::same(name, condition.name), value});
      continue;
    }
    const bool exact = glob_matches(condition.name, name, Way::kNames);
    if (!exact && !glob_matches(loose, Way::loose(name), Case::told_apart)) continue;
    bool named = false;
    for (const auto& other : conditions) named |= !other.names_many() && Way::same(name, other.name);
    if (!named) found.push_back({exact, value});
  }
  return found;
}

template <class Way, class Fields>
Met meets_all(const FieldConditions& conditions, const Fields& fields, const FieldCondition*& missed) {
  Met all = Met::yes;
  for (const auto& condition : conditions) {
    const Met met = judge<Way>(condition, find<Way>(conditions, condition, fields));
    if (met < all) missed = &condition;
    all = both(all, met);
  }
  return all;
}

}  // namespace

std::string FieldCondition::to_string() const {
  switch (wants) {
    case Wants::present:
      return "any " + name;
    case Wants::absent:
      return "no " + name;
    case Wants::values:
      return fmt::format("{} = {}", name, values.empty() ? "none" : fmt::format("{}", fmt::join(values, " or ")));
  }
  return name;
}

Met meets(const FieldConditions& conditions, const RequestQuery& query, const FieldCondition*& missed) {
  if (conditions.empty()) return Met::yes;
  if (query.unreadable()) {
    missed = &conditions.front();
    return Met::unsure;
  }
  std::optional<Met> all;
  for (const auto& reading : query.readings()) {
    const FieldCondition* here = nullptr;
    const Met met = meets_all<Parameterwise>(conditions, reading, here);
    if (missed == nullptr) missed = here;
    all = all ? either(*all, met) : met;
  }
  return *all;
}

Met meets(const FieldConditions& conditions, std::span<const HeaderField> fields, const FieldCondition*& missed) {
  return meets_all<Fieldwise>(conditions, fields, missed);
}

std::string loose_field_name(std::string_view name) {
  std::string loose = fold_case(name);
  std::replace(loose.begin(), loose.end(), '_', '-');
  return loose;
}

}  // namespace gatehouse::policy
