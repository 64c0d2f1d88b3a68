// A resource's URI (RFC 3986) as the servers behind us may take it. The guest writes it and a server of whose code we
// know nothing opens it, so one that two readers could take for two resources is refused, and a verdict must hold in
// every reading that is left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::policy {

inline constexpr size_t kMaxUriBytes = 2048;

class ResourceUri {
 public:
  struct Reading {
    std::string text;
    bool decoded = false;  // its escapes were, once or more often
  };

  // An error, in words that complete "the URI ...", when it has no safe reading: over kMaxUriBytes, no scheme, control
  // characters, spaces, backslashes, bytes that are not ASCII, bad escapes, more than kMaxEscapeLevels of them, or such
  // as do not come to UTF-8; dot segments and encoded slashes, whichever way they are written; of http and its like no
  // host, of these and file one with escapes.
  static Result<ResourceUri> parse(std::string_view text);

  // As written, and with its escapes decoded as often as some server might: what it surely is.
  const std::vector<Reading>& plain() const { return plain_; }
  // What else a server may take it for: without query and fragment, without user and port, with slashes collapsed...
  const std::vector<Reading>& others() const { return others_; }

 private:
  void add_other(std::string text, bool decoded);

  std::vector<Reading> plain_;
  std::vector<Reading> others_;
};

}  // namespace gatehouse::policy
