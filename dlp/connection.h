// One gate's connection: its socket, its session, and its turns at the worker's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/net/stream.h"
#include "dlp/session.h"

namespace gatehouse::dlp {

// After so much work the others have their turn.
inline constexpr std::chrono::milliseconds kTurn{2};
// Verdicts that a gate does not read; above it nothing more is read of it.
inline constexpr size_t kMaxQueuedBytes = 1 << 20;

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // `closed` is called once, never from within a call of ours, and destroys the connection.
  Connection(Loop& loop, std::unique_ptr<Stream> stream, const OpenScan& open_scan, const JudgeFinding& judge,
             std::function<void()> closed);

  // When it last sent anything while its stream was open; nothing when none is.
  std::optional<Clock::time_point> waiting_since() const;

 private:
  void work(std::string_view bytes);
  void yield(std::string_view rest);
  void take_turn();
  void resume();
  void close(std::string_view why);

  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  Session session_;
  std::function<void()> closed_;
  Clock::time_point last_work_;
  std::string rest_;      // of what was read, for the next turn
  bool waiting_ = false;  // for its next turn
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::dlp
