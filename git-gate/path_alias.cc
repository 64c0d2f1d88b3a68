#include "git-gate/path_alias.h"

#include <algorithm>

namespace gatehouse::git_gate {

namespace {

constexpr size_t kShortNameBytes = 6;

// UTF-8 of the code points that HFS+ leaves out when it compares names, as git knows them.
constexpr std::string_view kIgnored[] = {
    "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d",
    "\u202e", "\u206a", "\u206b", "\u206c", "\u206d", "\u206e", "\u206f", "\ufeff",
};

std::string without_ignored(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const auto* found = std::find_if(std::begin(kIgnored), std::end(kIgnored),
                                     [name](std::string_view ignored) { return name.starts_with(ignored); });
    if (found != std::end(kIgnored)) {
      name.remove_prefix(found->size());
    } else {
      out += name.front();
      name.remove_prefix(1);
    }
  }
  return out;
}

std::string_view without_end(std::string_view name) {
  name = name.substr(0, name.find(':'));
  return name.substr(0, name.find_last_not_of(". ") + 1);
}

// Whether NTFS may call `full` "XXXXXX~1": what short names leave out is dropped, letters are not told apart.
bool is_short_for(std::string_view name, std::string_view full) {
  const size_t tilde = name.find('~');
  if (tilde == std::string_view::npos || tilde == 0 || tilde > kShortNameBytes) return false;
  if (tilde + 1 == name.size() || name[tilde + 1] < '0' || name[tilde + 1] > '9') return false;
  std::string letters;
  for (const char c : full) {
    if (c != '.' && c != ' ') letters += c;
  }
  // After the fourth of its kind a short name has two letters of the name and four of a hash.
  const auto given = policy::fold_case(name.substr(0, tilde));
  const auto whole = policy::fold_case(letters);
  return whole.starts_with(given) || (given.size() == kShortNameBytes && whole.starts_with(given.substr(0, 2)));
}

}  // namespace

PathAliases::PathAliases(std::span<const policy::PathGlob> globs) {
  for (const auto& glob : globs) {
    std::string_view rest = glob.text();
    std::string folder;
    bool literal = true;
    while (!rest.empty()) {
      rest.remove_prefix(1);
      const auto segment = rest.substr(0, rest.find('/'));
      rest.remove_prefix(segment.size());
      literal = literal && segment.find('*') == std::string_view::npos;
      if (segment.find('*') == std::string_view::npos) names_.emplace(segment);
      if (!literal) continue;
      folder.append("/").append(policy::fold_case(segment));
      if (!rest.empty()) folders_.insert(folder);
    }
  }
}

std::string PathAliases::name_for(std::string_view name) const {
  const std::string plain = without_ignored(name);
  const auto kept = without_end(plain);
  for (const auto& full : names_) {
    if (is_short_for(kept, full)) return full;
  }
  return std::string(kept);
}

}  // namespace gatehouse::git_gate
