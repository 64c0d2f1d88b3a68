// Where a user's sessions, sockets and images are. Every directory is made on demand, mode 0700; one that exists and
// belongs to somebody else is an error.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::launcher {

// 1 to 40 of a-z 0-9 - _, beginning with a letter or digit: it becomes a directory, a host name and an audit column.
Result<void> check_session_name(std::string_view name);

// $XDG_STATE_HOME/gatehouse/sessions/NAME (default ~/.local/state): the audit log and console of a session.
Result<std::string> session_state_directory(std::string_view session);
// <state>/sessions/NAME/audit.db; only the path, nothing is made.
Result<std::string> audit_log_path(std::string_view session);

// <state>/mcp-pins: what was approved of servers' tools, in all sessions; only the path.
Result<std::string> mcp_pins_path();

// $XDG_RUNTIME_DIR/gatehouse/NAME (default /run/user/UID, or /tmp/gatehouse-UID): sockets of a running session.
Result<std::string> session_runtime_directory(std::string_view session);

// In that directory, where `gatehouse approvals` is heard.
inline constexpr char kApprovalsSocket[] = "approvals";
// And `gatehouse mcp login`: a guest reaches neither.
inline constexpr char kMcpLoginSocket[] = "mcp-login";

// $XDG_CACHE_HOME/gatehouse (default ~/.cache): kernels, images, downloaded packages.
Result<std::string> cache_directory();

// The session that wrote to its audit log last, for commands that name none.
Result<std::string> latest_session();

}  // namespace gatehouse::launcher
