#include "common/audit/reader.h"

#include "common/audit/entry.h"
#include "common/audit/schema.h"

namespace gatehouse::audit {

struct AuditReader::Database {
  audit::Database connection;
  RowStream rows;
  int64_t position = 0;  // of the last row looked at
};

static bool was_blocked(const Row& row) {
  const std::string* verdict = find_text(row, "verdict");
  const std::string* action = find_text(row, "action");
  return (verdict != nullptr && *verdict == to_string(Verdict::deny)) ||
         (action != nullptr &&
          (*action == to_string(FindingAction::deny) || *action == to_string(FindingAction::redact)));
}

AuditReader::AuditReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

AuditReader::~AuditReader() = default;

Result<std::unique_ptr<AuditReader>> AuditReader::open(const std::string& path) {
  auto connection = audit::Database::open(path, audit::Database::Mode::read_only);
  if (!connection) return failed(connection);
  if (auto schema = check_schema(*connection); !schema) return failed(schema, path);
  auto rows = RowStream::prepare(*connection);
  if (!rows) return failed(rows, path);
  auto database = std::make_unique<Database>(Database{std::move(*connection), std::move(*rows)});
  return std::unique_ptr<AuditReader>(new AuditReader(std::move(database)));
}

Result<std::vector<Entry>> AuditReader::next_entries(const Filter& filter) {
  auto moment = Transaction::begin(database_->connection, Transaction::Kind::read);
  if (!moment) return failed(moment);
  RowStream& rows = database_->rows;
  if (auto started = rows.start(database_->position); !started) return failed(started);
  std::vector<Entry> entries;
  while (entries.size() < kMaxEntriesPerCall) {
    auto row = rows.next();
    if (!row) return failed(row);
    if (!*row) break;
    if (const auto* position = std::get_if<int64_t>(&(*row)->row.values[kPosition])) database_->position = *position;
    if (filter.blocked_only && !was_blocked((*row)->row)) continue;
    if (!filter.trace.empty() && (*row)->row.values[kTraceId] != Value(filter.trace)) continue;
    entries.push_back(to_entry(**row));
  }
  rows.stop();
  return entries;
}

Result<Counts> AuditReader::counts() {
  auto select = database_->connection.prepare(
      "SELECT coalesce(sum(verdict = 'allow'), 0), coalesce(sum(verdict = 'deny'), 0) FROM"
      " (SELECT verdict FROM net_events UNION ALL SELECT verdict FROM dns_events)");
  if (!select) return failed(select);
  auto row = select->step();
  if (!row) return failed(row);
  return Counts{select->integer(0), select->integer(1)};
}

Result<std::string> AuditReader::trace_of(const std::string& id) {
  for (const Table* table : tables()) {
    auto select =
        database_->connection.prepare(fmt::format("SELECT trace_id FROM {} WHERE event_id = ?1", table->name));
    if (!select) return failed(select);
    const Value wanted = id;
    select->bind(1, wanted);
    auto row = select->step();
    if (!row) return failed(row);
    if (*row && !select->bytes(0).empty()) return select->bytes(0);
  }
  return id;
}

Result<std::vector<AuditReader::PoolAnswer>> AuditReader::pool_answers() {
  auto select = database_->connection.prepare(
      "SELECT name, address FROM dns_events WHERE address <> '' AND verdict = 'allow' ORDER BY position");
  if (!select) return failed(select);
  std::vector<PoolAnswer> answers;
  for (;;) {
    auto row = select->step();
    if (!row) return failed(row);
    if (!*row) return answers;
    answers.push_back({select->bytes(0), select->bytes(1)});
  }
}

}  // namespace gatehouse::audit
