// The proxy that stands between this host and the world, in networks that have one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/host_pattern.h"
#include "common/policy/source_text.h"

namespace gatehouse::policy {

struct UpstreamProxy {
  std::string host;  // a name, or an address without brackets
  uint16_t port = 0;
  std::string credential;           // the name of a secret whose value is "user:password"; empty: none
  std::vector<HostPattern> except;  // reached without it
  Place place;

  // Reads "http://HOST:PORT" into host and port. Refused, in words without the text where it may hold a password: other
  // schemes, a missing port, user, path or query.
  Result<void> take_url(std::string_view url);

  // Refuses what is no "user:password" of printable characters, in words that do not hold it.
  static Result<void> check_credential(std::string_view value);

  bool serves(std::string_view host_asked) const;
  // "HOST:PORT", as one writes it.
  std::string authority() const;
  // "file:line:column: upstream proxy: MESSAGE".
  Error error(std::string_view message) const;
  // The same proxy, used alike.
  bool agrees_with(const UpstreamProxy& other) const;
};

}  // namespace gatehouse::policy
