// One event loop of the scanner with everything that belongs to its thread: readers with their scratch space, and the
// connections it has accepted.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <vector>

#include "common/base/fd.h"
#include "common/net/loop.h"
#include "common/net/stream.h"
#include "dlp/connection.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxConnections = 4096;  // of one worker; what comes above is closed at once
// A gate that says nothing for so long in the middle of a stream has forgotten it. Long, since a response is one stream
// and may come event by event.
inline constexpr std::chrono::seconds kMaxSilence{300};
inline constexpr std::chrono::seconds kSilenceCheckPeriod{10};
inline constexpr std::chrono::seconds kCrowdedWarningPeriod{10};

class Worker {
 public:
  // `loop` and `judge` outlive the worker; what `open_scan` makes is used on the loop's thread only.
  Worker(Loop& loop, OpenScan open_scan, const JudgeFinding& judge,
         std::chrono::milliseconds max_silence = kMaxSilence);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Result<void> listen(Fd socket);

  size_t connections() const { return connections_.size(); }
  size_t silenced() const { return silenced_; }  // streams that were ended for their silence

 private:
  void accept(std::unique_ptr<gatehouse::Stream> stream);
  void end_silent_streams();

  Loop& loop_;
  const OpenScan open_scan_;
  const JudgeFinding& judge_;
  const std::chrono::milliseconds max_silence_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Timer silence_check_;
  size_t silenced_ = 0;
  std::chrono::steady_clock::time_point next_crowded_warning_;
};

}  // namespace gatehouse::dlp
