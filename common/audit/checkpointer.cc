#include "common/audit/checkpointer.h"

#include <system_error>

#include "common/base/log.h"

namespace gatehouse::audit {

CheckpointPace::Due CheckpointPace::after_commit(int log_pages) {
  if (log_pages < next_ - kCheckpointPages) next_ = kCheckpointPages;  // the log was begun anew
  if (log_pages >= kMaxLogPages) return Due::now;
  if (log_pages < next_ && log_pages < kMaxLogPages - kLastPages) return Due::no;
  next_ = log_pages + kCheckpointPages;
  return Due::soon;
}

Result<std::unique_ptr<Checkpointer>> Checkpointer::open(const std::string& path) {
  auto database = Database::open(path, Database::Mode::read_write);
  if (!database) return failed(database);
  if (auto set = database->execute("PRAGMA synchronous=NORMAL"); !set) return failed(set, path);
  if (auto read = database->query_integer("SELECT count(*) FROM chain_heads"); !read) return failed(read, path);
  return std::unique_ptr<Checkpointer>(new Checkpointer(std::move(*database)));
}

Checkpointer::~Checkpointer() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::wake() {
  {
    const std::lock_guard lock(mutex_);
    due_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    // The committing thread makes them then, at kMaxLogPages.
    log::warn("cannot start the audit log's second thread: {}", error.what());
  }
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || due_; });
    if (stopping_) return;
    due_ = false;
    lock.unlock();
    checkpoint();
    lock.lock();
  }
}

void Checkpointer::checkpoint() {
  const std::lock_guard lock(database_mutex_);
  // Another process's may be under way, which is as good. A disk that is full will be reported by the rows.
  (void)database_.checkpoint();
}

}  // namespace gatehouse::audit
