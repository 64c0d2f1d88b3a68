// Moves committed rows from SQLite's write-ahead log into the database file, beside the thread that commits: a
// checkpoint takes an fsync of each, some milliseconds, and whoever waits for a row would wait for that as well.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/audit/database.h"

namespace gatehouse::audit {

// A checkpoint is due each time the log has grown by so many pages of 4 KiB. (Not with every commit from there on: each
// would wait for the disk twice.)
inline constexpr int kCheckpointPages = 1000;
// While rows keep coming the log can only be begun anew when a checkpoint has caught up with all of them. From this on
// the committing thread stops for one of its own.
inline constexpr int kMaxLogPages = 8 * 1024;

// So shortly before that they are made as fast as they can be, so that little is left for it to wait for.
inline constexpr int kLastPages = 500;

// When one is due, by how long the log has become. Passive.
class CheckpointPace {
 public:
  enum class Due { no, soon, now };  // soon: beside the committing thread; now: on it
  Due after_commit(int log_pages);

 private:
  int next_ = kCheckpointPages;
};

class Checkpointer {
 public:
  // Opens a connection of its own and every file it will need, so that the process may confine itself afterwards.
  static Result<std::unique_ptr<Checkpointer>> open(const std::string& path);
  ~Checkpointer();

  // Has a checkpoint made soon, on a thread that starts with the first call: from a thread that blocks signals.
  void wake();

  // Makes one on the caller's thread, after the one that may be under way.
  void checkpoint();

 private:
  explicit Checkpointer(Database database) : database_(std::move(database)) {}
  void run();

  std::mutex database_mutex_;
  Database database_;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool due_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::audit
