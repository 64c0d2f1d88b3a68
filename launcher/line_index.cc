#include "launcher/line_index.h"

#include <algorithm>

namespace gatehouse::launcher {

void LineIndex::add(std::string_view bytes) {
  for (size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n', end + 1)) {
    line_starts_.push_back(size_ + end + 1);
  }
  size_ += bytes.size();
}

LineIndex::Place LineIndex::at(uint64_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return {static_cast<uint64_t>(after - line_starts_.begin()), offset - *(after - 1) + 1};
}

}  // namespace gatehouse::launcher
