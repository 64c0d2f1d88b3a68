// Which hosts a rule speaks of.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::policy {

// "api.example.com", "*.example.com" (exactly one label more) or "**.example.com" (one or more labels).
struct HostPattern {
  enum class Kind { exact, one_label, any_depth };
  Kind kind = Kind::exact;
  std::string name;  // lower case, without the wildcard

  // Whether a wildcard may cover a whole public suffix (publicsuffix.org, private section included): in a denial only.
  enum class Suffixes { refused, taken };

  // Folds upper case. Refuses what is no name in its ASCII form, addresses, URLs and ports, wildcards elsewhere than as
  // the whole first label.
  static Result<HostPattern> parse(std::string_view text, Suffixes whole = Suffixes::refused);

  bool matches(std::string_view host) const;
  std::string to_string() const;
  bool operator==(const HostPattern&) const = default;
};

inline constexpr size_t kMaxNameBytes = 253;  // RFC 1035 section 2.3.4, without the final dot
inline constexpr size_t kMaxLabelBytes = 63;

// True for a lower-case name of 1 to kMaxNameBytes: labels of letters, digits, '-' and '_', no final dot.
bool is_host_name(std::string_view name);

// True for names that mean something else in every network and must not be looked up by chance: single-label names and
// those under .localhost, .local, .internal, .home.arpa, .onion, .invalid and the like (RFC 6761, 6762, 7686, 8375,
// 9476).
bool is_special_use_name(std::string_view name);

}  // namespace gatehouse::policy
