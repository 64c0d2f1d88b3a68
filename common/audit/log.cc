#include "common/audit/log.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "common/audit/appender.h"
#include "common/base/log.h"
#include "common/base/uuid.h"

namespace gatehouse::audit {

namespace {

constexpr size_t kMaxQueuedRows = 32 * 1024;  // one push can have 10,000
constexpr size_t kMaxBatchRows = 512;         // so that the first row of a batch does not wait long for the last
constexpr size_t kManyRows = kMaxBatchRows / 4;
// Rows that nobody waits for are committed with the next one that somebody does, or after this time: a commit of their
// own would cost as much as the verdict's, just when the next request comes.
constexpr std::chrono::milliseconds kGatheringTime{2};

struct Queued {
  Event event;
  int64_t time_us = 0;
  Executor* executor = nullptr;  // null: `committed` runs on the writer thread, or is empty
  AuditLog::Committed committed;
};

struct Completion {
  AuditLog::Committed committed;
  Result<void> result;
};

// Hands completions over, one post for each executor.
class Completions {
 public:
  void add(Queued& from, Result<void> result) {
    if (!from.committed) return;
    if (from.executor == nullptr) {
      from.committed(std::move(result));
      return;
    }
    of(*from.executor).push_back({std::move(from.committed), std::move(result)});
  }

  void post() {
    for (auto& [executor, batch] : batches_) {
      executor->post([completions = std::move(batch)] {
        for (const auto& completion : completions) completion.committed(completion.result);
      });
    }
  }

 private:
  std::vector<Completion>& of(Executor& executor) {
    for (auto& [known, batch] : batches_) {
      if (known == &executor) return batch;
    }
    return batches_.emplace_back(&executor, std::vector<Completion>()).second;
  }

  std::vector<std::pair<Executor*, std::vector<Completion>>> batches_;
};

}  // namespace

// The queue and the thread that empties it.
class AuditLog::Writer {
 public:
  explicit Writer(Appender appender) : appender_(std::move(appender)) {}

  ~Writer() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void append(Queued queued) {
    Result<void> queued_up = [&]() -> Result<void> {
      const std::lock_guard lock(mutex_);
      if (queue_.size() >= kMaxQueuedRows) {
        ++overflowed_rows_;
        return fail("{} rows wait for the audit log already", kMaxQueuedRows);
      }
      if (auto started = start_thread(); !started) return started;
      if (queued.committed) ++waited_for_;
      queue_.push_back(std::move(queued));
      if (rest_ == Rest::idle || (rest_ == Rest::gathering && is_urgent())) {
        rest_ = Rest::none;
        wake_.notify_one();
      }
      return {};
    }();
    if (queued_up) return;
    Completions refused;
    refused.add(queued, std::move(queued_up));
    refused.post();
  }

 private:
  // With the first row, so that a process can still confine itself (confine() wants a single thread) with the log open.
  Result<void> start_thread() {
    if (thread_.joinable()) return {};
    // The process's signals are for its main thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    Result<void> started;
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
      started = fail("cannot start the audit thread: {}", error.what());
      log::error("{}", started.error().message());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  void run() {
    std::vector<Queued> batch;
    for (;;) {
      int64_t overflowed = 0;
      {
        std::unique_lock lock(mutex_);
        rest(lock);
        if (queue_.empty()) return;
        const auto end = queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), kMaxBatchRows));
        waited_for_ -= std::count_if(queue_.begin(), end, [](const Queued& row) { return bool(row.committed); });
        batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
        queue_.erase(queue_.begin(), end);
        overflowed = std::exchange(overflowed_rows_, 0);
      }
      if (overflowed > 0) log::error("{} audit rows refused: the queue of {} was full", overflowed, kMaxQueuedRows);
      commit(batch);
    }
  }

  bool is_urgent() const { return stopping_ || waited_for_ > 0 || queue_.size() >= kManyRows; }

  // Until there is something to commit, or to stop for. What nobody waits for wakes no thread that gathers.
  void rest(std::unique_lock<std::mutex>& lock) {
    const auto gather = [&] {
      rest_ = Rest::gathering;
      wake_.wait_for(lock, kGatheringTime, [this] { return is_urgent(); });
    };
    gather();
    while (queue_.empty() && !stopping_) {
      rest_ = Rest::idle;
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      gather();
    }
    rest_ = Rest::none;
  }

  void commit(std::vector<Queued>& batch) {
    std::vector<Row> rows;
    rows.reserve(batch.size());
    for (const auto& queued : batch) rows.push_back(to_row(queued.event, queued.time_us));
    std::vector<Result<void>> results = appender_.append(rows);

    Completions completions;
    for (size_t i = 0; i < batch.size(); ++i) {
      note(results[i]);
      completions.add(batch[i], std::move(results[i]));
    }
    completions.post();
    appender_.tidy();
  }

  // One line when writing begins to fail and one when it works again, not one a row.
  void note(const Result<void>& result) {
    if (!result) {
      if (lost_rows_++ == 0) log::error("audit row not written: {}", result.error().message());
    } else if (lost_rows_ > 0) {
      log::warn("audit rows are written again; {} were refused meanwhile", lost_rows_);
      lost_rows_ = 0;
    }
  }

  Appender appender_;
  int64_t lost_rows_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  int64_t waited_for_ = 0;                                       // of queue_
  enum class Rest { none, gathering, idle } rest_ = Rest::none;  // what the thread is at
  int64_t overflowed_rows_ = 0;                                  // since the last batch
  bool stopping_ = false;
  std::thread thread_;
};

AuditLog::AuditLog(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}

AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::open(const Options& options) {
  auto appender = Appender::open(options);
  if (!appender) return failed(appender, "audit log");
  return std::unique_ptr<AuditLog>(new AuditLog(std::make_unique<Writer>(std::move(*appender))));
}

void AuditLog::append(Event event, Executor& executor, Committed committed) {
  writer_->append({std::move(event), now_utc_us(), &executor, std::move(committed)});
}

void AuditLog::append(Event event) { writer_->append({std::move(event), now_utc_us(), nullptr, {}}); }

Result<void> AuditLog::append_and_wait(Event event) {
  std::promise<Result<void>> promise;
  auto done = promise.get_future();
  writer_->append({std::move(event), now_utc_us(), nullptr,
                   [&promise](Result<void> result) { promise.set_value(std::move(result)); }});
  return done.get();
}

}  // namespace gatehouse::audit
