// What a character looks like in ASCII: NFKC (Unicode Standard Annex 15), characters that cannot be seen, and letters
// of other scripts that look like Latin ones.
#pragma once

#include <cstdint>
#include <string_view>

namespace gatehouse::dlp {

enum class Fold {
  stays,    // as it is
  text,     // stands for ASCII text
  nothing,  // cannot be seen
};

struct Folded {
  Fold fold = Fold::stays;
  std::string_view text;  // at most 8 characters, of static lifetime
};

// Of a character above ASCII.
Folded fold(uint32_t character);

}  // namespace gatehouse::dlp
