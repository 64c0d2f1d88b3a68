#include "common/audit/database.h"

#include <sqlite3.h>

#include <thread>

namespace gatehouse::audit {

namespace {

constexpr std::chrono::microseconds kFirstLockPause{50};
constexpr std::chrono::microseconds kLongestLockPause{1000};

tl::unexpected<Error> fail_sqlite(sqlite3* connection) {
  const int code = sqlite3_extended_errcode(connection);
  const int system = sqlite3_system_errno(connection);
  std::string message = fmt::format("{} (SQLite {})", sqlite3_errmsg(connection), code);
  const bool io = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_FULL;
  if (io && system != 0) return fail_errno_message(system, std::move(message));
  return tl::unexpected(Error(std::move(message)));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::bind(int parameter, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    sqlite3_bind_int64(statement_.get(), parameter, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    // SQLITE_STATIC: the row outlives the step that uses it.
    sqlite3_bind_text64(statement_.get(), parameter, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  } else {
    sqlite3_bind_null(statement_.get(), parameter);
  }
}

void Statement::bind_blob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), parameter, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto failure = fail_sqlite(sqlite3_db_handle(statement_.get()));
  reset();
  return failure;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

Value Statement::value(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return integer(column);
    default:
      return bytes(column);
  }
}

std::string Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string() : std::string(data, static_cast<size_t>(size));
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

// SQLite has no lock to sleep on, so a busy writer polls; short pauses, since transactions take well under a
// millisecond.
int Database::wait_for_lock(void* lock_wait, int attempts) {
  auto& since = static_cast<LockWait*>(lock_wait)->since;
  const auto now = std::chrono::steady_clock::now();
  if (attempts == 0) since = now;
  if (now - since >= kBusyLimit) return 0;
  std::this_thread::sleep_for(attempts < 10 ? kFirstLockPause * (attempts + 1) : kLongestLockPause);
  return 1;
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  const int flags = mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database;
  database.connection_.reset(raw);
  if (raw == nullptr) return fail("cannot open {}: out of memory", path);
  if (opened != SQLITE_OK) return failed(Result<void>(fail_sqlite(raw)), path);
  if (mode == Mode::read_write && sqlite3_db_readonly(raw, "main") != 0) return fail("{}: not writable", path);

  database.lock_wait_ = std::make_unique<LockWait>();
  sqlite3_busy_handler(raw, wait_for_lock, database.lock_wait_.get());
  // A doctored file must not bring functions or triggers of its own to run with, nor may it patch the schema.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  if (auto ok = database.execute("PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY"); !ok) return failed(ok, path);
  return database;
}

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail_sqlite(connection_.get());
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(connection_.get());
  return Statement(statement);
}

Result<int64_t> Database::query_integer(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return failed(statement);
  auto row = statement->step();
  if (!row) return failed(row);
  if (!*row) return fail("no row from {}", sql);
  return statement->integer(0);
}

void Database::watch_log() {
  sqlite3_wal_hook(
      connection_.get(),
      [](void* log_pages, sqlite3*, const char*, int pages) {
        *static_cast<int*>(log_pages) = pages;
        return SQLITE_OK;
      },
      log_pages_.get());
}

Result<void> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(connection_.get());
  return {};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

bool Database::failed_on_row() const {
  const int code = sqlite3_errcode(connection_.get()) & 0xff;
  return code == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG;
}

bool Database::failed_on_room() const { return (sqlite3_errcode(connection_.get()) & 0xff) == SQLITE_FULL; }

bool Database::failed_on_lock() const {
  const int code = sqlite3_errcode(connection_.get()) & 0xff;
  return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  if (auto ok = database.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"); !ok) return failed(ok);
  return Transaction(database);
}

Transaction::~Transaction() {
  // A failed statement may have rolled back already (disk full).
  if (database_ != nullptr && database_->in_transaction()) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  auto committed = database_->execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace gatehouse::audit
