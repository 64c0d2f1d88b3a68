// Where in a match its keyword is bound to stand, as the pattern's beginning tells.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace gatehouse::dlp {

struct KeywordPlace {
  size_t keyword = 0;  // index
  size_t offset = 0;   // from the beginning of the match

  bool operator==(const KeywordPlace&) const = default;
};

// A list such that every match of `pattern` has one of the keywords at its place, in whatever case. Nothing when the
// pattern's beginning does not tell: a class of many bytes repeated, another word first, syntax not read here.
std::optional<std::vector<KeywordPlace>> keyword_places(const std::string& pattern,
                                                        const std::vector<std::string>& keywords);

// By byte, whether a match of `pattern` may begin with it.
std::array<bool, 256> first_bytes(const std::string& pattern);

}  // namespace gatehouse::dlp
