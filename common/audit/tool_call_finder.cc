#include "common/audit/tool_call_finder.h"

#include "common/audit/database.h"
#include "common/audit/schema.h"
#include "common/base/log.h"

namespace gatehouse::audit {

struct ToolCallFinder::Database {
  audit::Database connection;
  Statement select;
  bool failing = false;  // so that one line says it
};

ToolCallFinder::ToolCallFinder(std::unique_ptr<Database> database) : database_(std::move(database)) {}

ToolCallFinder::~ToolCallFinder() = default;

Result<std::unique_ptr<ToolCallFinder>> ToolCallFinder::open(const std::string& path) {
  auto connection = audit::Database::open(path, audit::Database::Mode::read_only);
  if (!connection) return failed(connection);
  if (auto schema = check_schema(*connection); !schema) return failed(schema, path);
  if (auto ok = connection->execute("PRAGMA busy_timeout=0"); !ok) return failed(ok, path);
  auto select =
      connection->prepare(fmt::format("SELECT event_id, trace_id, name, time_us FROM tool_calls WHERE call_hash = ?1"
                                      " ORDER BY position DESC LIMIT {}",
                                      kMaxToolCallsLookedAt));
  if (!select) return failed(select, path);
  return std::unique_ptr<ToolCallFinder>(
      new ToolCallFinder(std::make_unique<Database>(Database{std::move(*connection), std::move(*select)})));
}

std::optional<ToolCallFinder::Found> ToolCallFinder::find(const std::string& call_hash, int64_t now_us,
                                                          const std::function<bool(std::string_view)>& is_it) {
  if (call_hash.empty()) return std::nullopt;
  Statement& select = database_->select;
  const Value wanted = call_hash;
  select.bind(1, wanted);
  std::optional<Found> found;
  for (;;) {
    const auto row = select.step();
    if (!row && !std::exchange(database_->failing, true)) {
      log::warn("calls are not linked to what models asked for: {}", row.error().message());
    }
    if (!row) return std::nullopt;
    database_->failing = false;
    if (!*row || now_us - select.integer(3) > std::chrono::microseconds(kToolCallFor).count()) break;
    if (!is_it(select.bytes(2))) continue;
    found = Found{select.bytes(0), select.bytes(1)};
    break;
  }
  select.reset();
  return found;
}

}  // namespace gatehouse::audit
