// The audit log, writing side. One SQLite file a session (WAL), opened by every process of the house. A row counts once
// it is committed, and nothing it speaks of may happen before.
//
// Rows are append-only and hash-chained per writer: hash = SHA-256(previous hash || canonical row). A restarted process
// takes its writer's chain up where the last committed row left it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/audit/event.h"
#include "common/base/executor.h"
#include "common/base/result.h"

namespace gatehouse::audit {

// Nothing bounds how many rows a hostile guest causes (a denial is a row), so the file is bounded: beyond this, rows
// fail and the gates deny, as on a full disk. The launcher's rows, which the guest does not cause, have room above it.
inline constexpr int64_t kMaxLogBytes = int64_t{4} << 30;
inline constexpr int64_t kLauncherReserveBytes = int64_t{16} << 20;

class AuditLog {
 public:
  struct Options {
    std::string path;
    std::string session;
    std::string writer;  // names the chain: "proxy", "dns", "launcher", "bridge"; one live process per name
    int64_t max_bytes = kMaxLogBytes;  // of the whole file, at least one page; this writer adds nothing above it
  };
  using Committed = std::function<void(Result<void>)>;

  // Opens or creates the file (0600). The writer thread starts with the first row. A file of another schema version or
  // another session, a second live writer of the same name, or a directory that cannot be written is an error.
  static Result<std::unique_ptr<AuditLog>> open(const Options& options);

  // Commits what is queued, then stops the thread. Callbacks not yet posted are still posted.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Queues one row, from any thread. `committed` is posted to `executor` after the COMMIT, or with an error when the
  // row could not be written (disk full, limit reached, file gone): the caller then denies. The writer commits at once
  // when idle, and groups what has queued up meanwhile into one transaction. Callbacks come in the order of the calls,
  // but for rows refused because too many are queued already: those fail at once. `executor` must outlive this log.
  void append(Event event, Executor& executor, Committed committed);

  // As above for rows nobody waits for; a failure is logged. They are committed with the next one that somebody does
  // wait for, or some milliseconds later.
  void append(Event event);

  // Blocks until the row is committed; for processes without a loop.
  Result<void> append_and_wait(Event event);

 private:
  class Writer;
  explicit AuditLog(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

}  // namespace gatehouse::audit
