// The ways servers read one query.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::policy {

inline constexpr size_t kMaxQueryParameters = 512;  // in one reading

struct Parameter {
  std::string name;
  std::string value;
  bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

// A query as the various servers behind us may understand it: cut at '&' alone or at ';' too, before or after the
// escapes are decoded, and these decoded once or again, '+' read as a space or not. What is said of a parameter must
// hold in each reading.
class RequestQuery {
 public:
  // The query of a request target, whether it has one or not.
  static RequestQuery parse(std::string_view target);

  // It has no safe reading at all: bad escapes, more than kMaxEscapeLevels of them, control characters, a '#', more
  // than kMaxQueryParameters.
  bool unreadable() const { return unreadable_; }
  // At least one, unless it is unreadable.
  const std::vector<Parameters>& readings() const { return readings_; }

 private:
  void read(std::string_view raw, std::string (*decode)(std::string_view));

  bool unreadable_ = false;
  std::vector<Parameters> readings_;
};

// A parameter's name as the most forgiving server has it: lower case, "a.b", "a b" and "a+b" as "a_b", no index
// ("a[]", "a[0]"), no leading space or '?'. Two names with the same one may be the same parameter.
std::string loose_parameter_name(std::string_view name);

}  // namespace gatehouse::policy
