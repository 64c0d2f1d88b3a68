// How much may be done over time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace gatehouse::policy {

struct Allowance {
  static constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();
  uint64_t requests = kUnbounded;
  uint64_t bytes_out = kUnbounded;  // heads and bodies of requests
  uint64_t bytes_in = kUnbounded;   // bodies of responses
  uint64_t requests_per_minute = kUnbounded;

  bool operator==(const Allowance&) const = default;
  bool bounds() const { return *this != Allowance{}; }
  void narrow(const Allowance& other) {
    requests = std::min(requests, other.requests);
    bytes_out = std::min(bytes_out, other.bytes_out);
    bytes_in = std::min(bytes_in, other.bytes_in);
    requests_per_minute = std::min(requests_per_minute, other.requests_per_minute);
  }
};

// An allowance and what is counted against it.
struct Quota {
  std::string counter;  // names the count: "session", "host api.example.com", "rule demo/npm-read"
  std::string rule;     // of the denial when nothing is left: "limit.session", "limit.host", or the rule's id
  std::string whose;    // in words: "the session", "api.example.com", "rule 'npm-read'"
  Allowance allowance;
};

}  // namespace gatehouse::policy
