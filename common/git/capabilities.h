// The capabilities of git-receive-pack (gitprotocol-capabilities) that this house can check, and no others.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/git/object_id.h"

namespace gatehouse::git {

enum class Report { none, plain, v2 };  // report-status, report-status-v2

// What a client has agreed to.
struct PushCapabilities {
  Report report = Report::none;
  bool side_band = false;  // side-band-64k
  bool atomic = false;
  bool push_options = false;
  ObjectFormat format = ObjectFormat::sha1;
};

// From the first command's line. An unknown word, or one said twice, is refused.
Result<PushCapabilities> parse_push_capabilities(std::string_view words);

// What a server's list becomes before a client sees it: known ones only, and `no-thin`, so that every pack holds all it
// is built of. `signatures`: signed pushes (push-cert) are let, too.
std::string filter_push_capabilities(std::string_view offered, bool signatures);

}  // namespace gatehouse::git
