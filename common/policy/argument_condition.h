// What a rule asks of the arguments of a tool call.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/argument_value.h"

namespace gatehouse::policy {

// Where in the arguments: a JSON pointer (RFC 6901) in which a token "*" stands for every item or member.
struct ArgumentPointer {
  std::string text;
  std::vector<std::string> tokens;  // unescaped

  // Refuses what does not begin with '/', bad escapes, and more than kMaxTokens.
  static constexpr size_t kMaxTokens = 16;
  static Result<ArgumentPointer> parse(std::string_view text);
  bool names_many() const;
};

struct ArgumentCondition {
  enum class Wants { present, absent, value };
  ArgumentPointer at;  // of no token: every argument that no other condition of the rule speaks of
  Wants wants = Wants::present;
  ArgumentValue value;

  std::string to_string() const;  // "/path in /srv/**", "no /force", "no other argument"
};

// Of a pointer that names many: whether all of them must meet the condition, or one is enough.
enum class Quantity { all, any };

// Whether all of `conditions` are met; sets `missed` to the first that is not surely met. `unsure` where a server may
// take the arguments so that they are: a value of another type, letters in another case, escapes, keys that differ in
// case alone.
Met meets(const std::vector<ArgumentCondition>& conditions, const nlohmann::json& arguments, Quantity quantity,
          const UrlAllowed& url_allowed, const ArgumentCondition*& missed);

// The parts of a URL that every reader takes alike; refuses user information, backslashes, spaces, anything but
// printable ASCII, and hosts that are no plain names.
struct PlainUrl {
  std::string scheme, host, path;
  uint16_t port = 0;
};
Result<PlainUrl> parse_plain_url(std::string_view text);

}  // namespace gatehouse::policy
