// What can be checked in a secret beyond its pattern: checksums, structure, registries of lengths.
//
// A validator raises or lowers the confidence in a finding (Rule::severity or Rule::unconfirmed); it never silences
// one, since the guest chooses what it sends.
#pragma once

#include <string_view>
#include <vector>

namespace gatehouse::dlp {

// Takes the rule's secret (the group, not the whole match), hostile and up to kMaxMatchBytes. True: confirmed, this is
// what it looks like. Pure, and safe in any thread.
using Validator = bool (*)(std::string_view secret);

// The validator that a rule's file calls `name`; null when there is none.
Validator find_validator(std::string_view name);

// All names, sorted: for messages and for `rules check`.
std::vector<std::string_view> validator_names();

}  // namespace gatehouse::dlp
