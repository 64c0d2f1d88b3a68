// The ways servers read one request path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::policy {

inline constexpr size_t kMaxPathBytes = 8192;  // without the query, as common servers hold it
inline constexpr int kMaxEscapeLevels = 3;     // "%252e" has two

// Every '%' is followed by two hex digits.
bool has_valid_escapes(std::string_view text);

// With each escape as the byte it stands for, once; a '%' that begins none stays.
std::string decode_escapes(std::string_view text);

// A path as the various servers behind us may understand it: percent-decoded or not, with runs of slashes collapsed or
// not, with ";parameters" stripped or not. A policy's verdict must hold in each reading.
class RequestPath {
 public:
  // `target` is the request target in origin form (RFC 9112 section 3.2.1); its query is left out. An error, in words
  // that complete "the path ...", when it has no safe reading at all: not absolute, over kMaxPathBytes, dot segments,
  // backslashes, control or non-ASCII bytes, spaces, bad escapes, more than kMaxEscapeLevels of them, or escapes that
  // do not come to UTF-8; raw or decoded.
  static Result<RequestPath> parse(std::string_view target);

  // Calls `use(std::string_view)` for the raw path and each other reading. Valid as long as `target` is.
  template <class Use>
  void for_each_reading(Use use) const {
    use(raw_);
    for (const auto& reading : others_) use(std::string_view(reading));
  }
  std::string_view raw() const { return raw_; }

 private:
  std::string_view raw_;
  std::vector<std::string> others_;  // empty for an ordinary path
};

}  // namespace gatehouse::policy
