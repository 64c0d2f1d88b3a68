// Git LFS's batch interface (git-lfs docs/api/batch.md): what a client wants to do with objects.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::git {

inline constexpr size_t kMaxLfsBatchBytes = 4 << 20;

enum class LfsOperation { download, upload };

// Of the body of a request to "<repository>/info/lfs/objects/batch". Refused: what servers might read differently (a
// key twice, or in other letters) or not at all.
Result<LfsOperation> parse_lfs_batch(std::string_view body);

// An answer that the client shows its user.
std::string lfs_refusal(std::string_view words);

}  // namespace gatehouse::git
