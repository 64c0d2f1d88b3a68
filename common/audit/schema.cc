#include "common/audit/schema.h"

#include "common/base/uuid.h"

namespace gatehouse::audit {

namespace {

std::string schema_sql() {
  std::string sql =
      "CREATE TABLE sessions(session TEXT PRIMARY KEY, created_us INTEGER NOT NULL, version TEXT NOT NULL) STRICT;"
      "CREATE TABLE chain_heads(writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL,"
      " position INTEGER NOT NULL) STRICT;";
  for (const Table* table : tables()) sql += create_table_sql(*table);
  sql += "CREATE INDEX tool_calls_by_hash ON tool_calls(call_hash);";  // for ToolCallFinder
  return sql + fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, kSchemaVersion);
}

Result<void> insert_session(Database& database, const std::string& session) {
  auto insert = database.prepare("INSERT INTO sessions(session, created_us, version) VALUES(?, ?, ?)");
  if (!insert) return failed(insert);
  const Value values[] = {session, now_utc_us(), std::string(GATEHOUSE_VERSION)};
  for (int i = 0; i < 3; ++i) insert->bind(i + 1, values[i]);
  if (auto done = insert->step(); !done) return failed(done);
  return {};
}

// PRAGMA journal_mode does not wait for locks as other statements do.
Result<void> switch_to_wal(Database& database) {
  const auto until = std::chrono::steady_clock::now() + kBusyLimit;
  for (;;) {
    auto switched = database.execute("PRAGMA journal_mode=WAL");
    if (switched || !database.failed_on_lock() || std::chrono::steady_clock::now() > until) return switched;
  }
}

}  // namespace

Result<SessionRow> check_schema(Database& database) {
  auto application = database.query_integer("PRAGMA application_id");
  if (!application) return failed(application);
  if (*application != kApplicationId) return fail("not an audit log of Gatehouse");
  auto version = database.query_integer("PRAGMA user_version");
  if (!version) return failed(version);
  if (*version != kSchemaVersion) {
    return fail("written with schema version {}; this build reads and writes version {}", *version, kSchemaVersion);
  }
  auto select = database.prepare("SELECT session, created_us, version FROM sessions");
  if (!select) return failed(select);
  auto row = select->step();
  if (!row) return failed(row);
  if (!*row) return fail("the sessions row is missing");
  return SessionRow{select->bytes(0), select->integer(1), select->bytes(2)};
}

Result<SessionRow> create_or_check_schema(Database& database, const std::string& session) {
  auto application = database.query_integer("PRAGMA application_id");
  if (!application) return failed(application);
  auto tables_there = database.query_integer("SELECT count(*) FROM sqlite_schema");
  if (!tables_there) return failed(tables_there);
  if (*application == 0 && *tables_there == 0) {
    if (auto wal = switch_to_wal(database); !wal) return failed(wal);
    auto transaction = Transaction::begin(database, Transaction::Kind::write);
    if (!transaction) return failed(transaction);
    // Another process may have been quicker.
    auto now_there = database.query_integer("SELECT count(*) FROM sqlite_schema");
    if (!now_there) return failed(now_there);
    if (*now_there == 0) {
      if (auto created = database.execute(schema_sql()); !created) return failed(created);
      if (auto inserted = insert_session(database, session); !inserted) return failed(inserted);
    }
    if (auto committed = transaction->commit(); !committed) return failed(committed);
  }
  auto found = check_schema(database);
  if (found && found->session != session) {
    return fail("it is the log of session \"{}\", not of \"{}\"", found->session, session);
  }
  return found;
}

}  // namespace gatehouse::audit
