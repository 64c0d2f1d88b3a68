// What makes a SQLite file an audit log of ours: application id, schema version, tables, the sessions row.
#pragma once

#include <optional>
#include <string>

#include "common/audit/chain.h"
#include "common/audit/database.h"

namespace gatehouse::audit {

inline constexpr int kApplicationId = 0x47617465;  // "Gate"

// 2: with dlp_findings; 3: with model_calls and their tools; 4: with approvals; 5: with git_events; 6: with mcp_calls
// and mcp_results; 7: with what links tool_calls and mcp_calls
inline constexpr int kSchemaVersion = 7;

// Makes an empty file an audit log of `session`, or finds that it is one already. A file of another application,
// another schema version or another session is an error.
Result<SessionRow> create_or_check_schema(Database& database, const std::string& session);

// The sessions row of an audit log; a file that is none, or of another schema version, is an error.
Result<SessionRow> check_schema(Database& database);

}  // namespace gatehouse::audit
