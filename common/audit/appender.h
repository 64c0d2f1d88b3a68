// Puts rows into the log, one transaction a batch. Used by one thread; the queue in front of it is log.cc's.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "common/audit/chain.h"
#include "common/audit/checkpointer.h"
#include "common/audit/database.h"
#include "common/audit/log.h"
#include "common/base/fd.h"

namespace gatehouse::audit {

class Appender {
 public:
  // As AuditLog::open.
  static Result<Appender> open(const AuditLog::Options& options);

  // Commits `rows` in order, filling in position, session, writer and seq. One result for each: a row the table refuses
  // fails alone, anything else fails the whole batch. A failed row leaves no trace: the chain goes on where it was.
  std::vector<Result<void>> append(std::vector<Row>& rows);

  // To be called after append(), when nobody waits for it any more: has a checkpoint made if one is due.
  void tidy();

 private:
  // A file that must still be the one that was opened: SQLite would go on writing into an unlinked one.
  struct OpenedFile {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
    static Result<OpenedFile> remember(const std::string& path);
    Result<void> still_there() const;
  };
  struct Head {
    int64_t seq = 0;
    int64_t position = 0;
    std::string hash;
  };

  Appender(Fd lock, Database database) : lock_(std::move(lock)), database_(std::move(database)) {}
  Result<void> limit(int64_t max_bytes);
  Result<void> prepare();
  Result<Head> read_head();
  Result<void> write_head(const Head& head);
  Result<void> insert(Row& row, Head& head);
  Result<void> append_all(std::vector<Row>& rows, std::vector<Result<void>>& results);

  Fd lock_;  // flock on <path>.<writer>.lock: the kernel lets it go however the process ends
  Database database_;
  std::string path_;
  std::string writer_;
  int64_t max_bytes_ = 0;
  SessionRow session_;
  std::vector<OpenedFile> files_;
  std::vector<Statement> inserts_;  // in the order of tables()
  std::vector<Statement> head_statements_;
  std::unique_ptr<Checkpointer> checkpointer_;
  CheckpointPace pace_;
};

}  // namespace gatehouse::audit
