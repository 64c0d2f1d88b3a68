// What tests on sockets share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "common/base/uuid.h"
#include "common/dlp/finding.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"

namespace gatehouse::dlp {

class SocketPath {
 public:
  SocketPath() : endpoint_{Endpoint::Kind::unix_stream, {}, 0, ::testing::TempDir() + "/dlp." + make_uuid()} {}
  ~SocketPath() { ::unlink(endpoint_.path.c_str()); }
  const Endpoint& endpoint() const { return endpoint_; }
  Fd listen() const { return std::move(*open_socket(endpoint_)); }

 private:
  Endpoint endpoint_;
};

template <class Condition>
bool turn_until(Loop& loop, Condition done) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    loop.turn();
  }
  return true;
}

inline std::string words(const Result<ScanVerdict>& said) {
  if (!said) return said.error().message();
  std::string text = said->outcome == ScanVerdict::Outcome::allow    ? "allow"
                     : said->outcome == ScanVerdict::Outcome::redact ? "redact"
                                                                     : "deny";
  for (const auto& [part, offset, length] : said->redactions) text += fmt::format(" {}:{}+{}", part, offset, length);
  return text;
}

}  // namespace gatehouse::dlp
