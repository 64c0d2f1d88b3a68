// Protocols other than HTTP and TLS that agents try because git speaks them: SSH (RFC 4253) and git's own (git://,
// gitprotocol-pack). Neither passes; both are told so in a form that their clients print.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::proxy {

struct ForeignProtocol {
  std::string_view rule;
  std::string_view reason;
  std::string farewell;  // what its client prints the reason of
};

// By a connection's first bytes; nothing when they are of none of these.
std::optional<ForeignProtocol> foreign_protocol(std::string_view bytes);

// Whether more bytes could make one of these of what foreign_protocol() finds nothing in.
bool may_be_foreign(std::string_view bytes);

}  // namespace gatehouse::proxy
