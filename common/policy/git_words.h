// What is said of git rules.
#pragma once

#include <string>

#include "common/policy/compiled.h"

namespace gatehouse::policy {

// "agent/**, fix/*", or "none".
std::string glob_words(const std::vector<PathGlob>& globs);

// "https://github.com/acme/app.git: fixtures/**, object 0123456789ab".
std::string place_words(const Exemption& exemption);

inline constexpr std::string_view kNoLfsUpload =
    "Git LFS would carry objects past the checks of a push; commit the files themselves, or ask the operator for a "
    "rule "
    "with \"lfs\": true";

// Why a layer in which no rule matches denies it.
std::string unmatched_words(const CompiledLayer& layer, const GitRemote& remote, GitService service);

}  // namespace gatehouse::policy
