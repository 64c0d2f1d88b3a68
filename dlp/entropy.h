// How random bytes look.
#pragma once

#include <string_view>

namespace gatehouse::dlp {

// Shannon entropy of the bytes' own distribution, in bits a byte: 0 for nothing and for one letter repeated, at most
// min(8, log2 of the length). One pass; it runs for every match of a rule with a floor.
double shannon_entropy(std::string_view bytes);

}  // namespace gatehouse::dlp
