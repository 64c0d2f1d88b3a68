// What a rule asks of query parameters and header fields.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "common/policy/request_query.h"

namespace gatehouse::policy {

struct FieldCondition {
  enum class Wants { present, absent, values };
  std::string name;  // with a '*' it speaks of all whose name matches and that no other condition names
  Wants wants = Wants::present;
  std::vector<std::string> values;  // globs, one of which each value must match

  bool names_many() const { return name.find('*') != std::string::npos; }
  std::string to_string() const;  // "page = 1 or 2", "no token", "any q"
};
using FieldConditions = std::vector<FieldCondition>;

// Whether conditions are met. `unsure` when servers may differ: a name given twice or in another spelling, a value that
// fits only in some reading, a query that cannot be read.
enum class Met { no, unsure, yes };

// All of `conditions`; sets `missed` to the first that is not surely met. The names of parameters are told apart by
// case as written, those of header fields are not.
Met meets(const FieldConditions& conditions, const RequestQuery& query, const FieldCondition*& missed);
Met meets(const FieldConditions& conditions, std::span<const HeaderField> fields, const FieldCondition*& missed);

// A field's name as CGI and its descendants have it: lower case, '_' for '-'.
std::string loose_field_name(std::string_view name);

}  // namespace gatehouse::policy
