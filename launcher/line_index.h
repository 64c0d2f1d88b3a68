// Which line and column a byte of a stream is in, for a stream that is read once.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gatehouse::launcher {

class LineIndex {
 public:
  // The stream's next bytes.
  void add(std::string_view bytes);

  struct Place {
    uint64_t line = 1;
    uint64_t column = 1;  // in bytes
  };
  // Of a byte that has been added, or of the end.
  Place at(uint64_t offset) const;

 private:
  std::vector<uint64_t> line_starts_ = {0};
  uint64_t size_ = 0;
};

}  // namespace gatehouse::launcher
