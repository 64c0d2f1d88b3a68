// The Public Suffix List: names under which anybody can have a name.
#pragma once

#include <string>

#include "common/base/result.h"

namespace gatehouse::policy {

// The public suffix all of which the wildcard over `base` covers, or "" when there is none. `*.base` covers base itself
// when that is one; `**.base` (any_depth) also every suffix below base, as **.amazonaws.com does s3.amazonaws.com. An
// unlisted top-level domain counts as a public suffix. An error when the list is not installed (Debian's publicsuffix).
Result<std::string> covered_public_suffix(const std::string& base, bool any_depth);

}  // namespace gatehouse::policy
