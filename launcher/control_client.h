// One question to a running session over a Unix socket in its runtime directory, and its answer. Blocks.
#pragma once

#include <string>
#include <string_view>

#include "common/ipc/frame.h"

namespace gatehouse::launcher {

// The session meant by `name`; empty: the one that wrote to its log last.
Result<std::string> running_session(const std::string& name);

// Sends `frames` to the socket `which` of a running session and gives the first frame of its answer. That the session
// does not run is an error that says so.
Result<ipc::Frame> ask_session(const std::string& session, const char* which, std::string_view frames);

}  // namespace gatehouse::launcher
