// SQLite behind Results: a connection, its statements, its transactions. The only includer of <sqlite3.h> with
// database.cc.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/audit/tables.h"
#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gatehouse::audit {

inline constexpr std::chrono::milliseconds kBusyLimit{5000};  // how long to wait for another process's transaction

// A prepared statement. It must not outlive its Database.
class Statement {
 public:
  // Parameters and columns count as SQLite counts them: parameters from 1, columns from 0.
  void bind(int parameter, const Value& value);
  void bind_blob(int parameter, std::string_view bytes);
  // True when there is a row to read, false at the end. After a false or an error the statement is reset.
  Result<bool> step();
  void reset();

  // A column as it is stored; a blob comes as text, so that a doctored file cannot be read as something it is not.
  Value value(int column) const;
  std::string bytes(int column) const;
  int64_t integer(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Mode { read_only, read_write };

  // The file must exist. Only one thread at a time may use the connection.
  static Result<Database> open(const std::string& path, Mode mode);

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  // The first column of the first row.
  Result<int64_t> query_integer(const std::string& sql);

  // Pages in the write-ahead log after this connection's last COMMIT. Once asked to watch, a connection makes no
  // checkpoints by itself any more.
  void watch_log();
  int log_pages() const { return *log_pages_; }
  // As much of the log as no reader needs goes into the file. In the way of nobody, and an error if somebody else is at
  // it.
  Result<void> checkpoint();

  bool in_transaction() const;
  // Whether the last failure concerned its row alone (a constraint, a value too big): the transaction can go on.
  bool failed_on_row() const;
  // Whether the last failure was another process's lock held for longer than kBusyLimit, or one not worth waiting for.
  bool failed_on_lock() const;
  bool failed_on_room() const;  // no page more: disk full, or max_page_count

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct LockWait {
    std::chrono::steady_clock::time_point since;
  };
  static int wait_for_lock(void* lock_wait, int attempts);

  std::unique_ptr<LockWait> lock_wait_;
  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
  std::unique_ptr<sqlite3, Close> connection_;
};

// BEGIN now, ROLLBACK unless commit() succeeded.
class Transaction {
 public:
  enum class Kind { read, write };
  static Result<Transaction> begin(Database& database, Kind kind);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace gatehouse::audit
