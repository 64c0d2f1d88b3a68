// The answer to a push that was refused, in receive-pack's own form (gitprotocol-pack, "Report Status"), so that git
// prints the words on the pusher's terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/git/capabilities.h"

namespace gatehouse::git {

inline constexpr size_t kMaxReasonBytes = 400;  // of one ref's

struct RefRefusal {
  std::string ref;
  std::string reason;  // one line
};

// The body of the response. `text` is for people, lines separated by line feeds: told by side-band-64k, which is the
// only place for it.
std::string refusal_response(const PushCapabilities& agreed, const std::vector<RefRefusal>& refs,
                             std::string_view text);

}  // namespace gatehouse::git
