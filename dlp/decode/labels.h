// What pieces are called.
#pragma once

#include <string>
#include <string_view>

#include "common/base/log.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxLabelNameBytes = 96;  // of a name in a label; the name itself is a piece of its own

// "entry:dir/a.txt": `name` printable and cut to its limit.
inline std::string label(std::string_view what, std::string_view name) {
  return std::string(what) + ":" + log::printable(name, kMaxLabelNameBytes);
}

}  // namespace gatehouse::dlp
