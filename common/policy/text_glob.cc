#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(char a, char b, Case letters) { return a == b || (letters == Case::ignored && lower(a) == lower(b)); }

}  // namespace

// Stepping back to the last '*' alone is enough: an earlier one could not do better.
bool glob_matches(std::string_view glob, std::string_view text, Case letters) {
  size_t g = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = t;
    } else if (g < glob.size() && same(glob[g], text[t], letters)) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

std::string fold_case(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) c = lower(c);
  return folded;
}

}  // namespace gatehouse::policy
