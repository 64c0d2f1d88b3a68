// MCP's framing over streams: one JSON value a line (specification 2025-11-25, basic/transports, stdio).
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::mcp {

class LineReader {
 public:
  explicit LineReader(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Calls `use(std::string_view line)` for each line that is whole, without its end (LF or CRLF); empty ones are passed
  // over. `use` says whether to go on; if not, the rest is dropped. A line over the limit is an error, and the reader
  // of no use any more.
  template <class Use>
  Result<void> feed(std::string_view bytes, Use use) {
    for (;;) {
      const size_t end = bytes.find('\n');
      const size_t take = end == std::string_view::npos ? bytes.size() : end;
      if (held_.size() + take > max_bytes_) return fail("a line of more than {} bytes", max_bytes_);
      if (end == std::string_view::npos) {
        held_ += bytes;
        return {};
      }
      std::string joined;
      std::string_view line = bytes.substr(0, end);
      if (!held_.empty()) {
        joined = std::move(held_);
        held_.clear();
        joined += line;
        line = joined;
      }
      bytes.remove_prefix(end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty() && !use(line)) return {};
    }
  }

  size_t held() const { return held_.size(); }

 private:
  size_t max_bytes_;
  std::string held_;  // of a line that is not whole
};

}  // namespace gatehouse::mcp
