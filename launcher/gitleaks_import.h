// Rules from a gitleaks configuration (TOML), as a rule file of ours.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::launcher {

struct ImportedRules {
  std::string json;  // a rule file (dlp/rules/README.md)
  size_t rules = 0;
  std::vector<std::string> notes;  // what could not be taken over, one line each, "file:line: rule: ..."
};

// `name` stands in errors and notes. An error, with line and column, for what is no TOML or no list of rules. Taken
// over: id, description, regex, secretGroup (without one, the first group, as gitleaks does), entropy, keywords, and
// allow lists of regular expressions and stop words about the secret. Not taken over, and noted: rules of paths alone;
// allow lists by path, commit, line or whole match, since none of them means anything on the wire. That makes a rule
// stricter, never laxer. Imported rules block.
Result<ImportedRules> import_gitleaks(const std::string& name, const std::string& toml);

}  // namespace gatehouse::launcher
