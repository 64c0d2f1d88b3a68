// One connection of a gate to its scanner, for the client alone. It carries one stream after the other.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/dlp/protocol.h"
#include "common/net/stream.h"

namespace gatehouse::dlp {

class ScannerConnection {
 public:
  // None comes from within a call of ours, and the owner may destroy the connection in each.
  struct Callbacks {
    std::function<void(ScanVerdict)> verdict;
    std::function<void(Error)> failed;  // once; the connection is of no use any more
    std::function<void()> drained;      // queued() has come back to 0
  };

  // Begins to connect at once; what is sent meanwhile is kept.
  ScannerConnection(Loop& loop, const Endpoint& scanner);
  ~ScannerConnection();

  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }
  void send(std::string_view frames);
  size_t queued() const;

  void expect_verdict() { answers_.expect(); }
  // Fails when `delay` passes before the timer is stopped or started anew.
  void start_deadline(std::chrono::milliseconds delay) { deadline_.start(delay); }
  void stop_deadline() { deadline_.stop(); }

 private:
  void connected(Result<std::unique_ptr<Stream>> stream);
  void received(std::string_view bytes);
  void drained();
  void fail_now(const Error& error);

  std::string name_;
  Callbacks callbacks_;
  AnswerReader answers_;
  Timer deadline_;
  std::string waiting_;  // to be sent once connected
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Connecting> connecting_;
};

}  // namespace gatehouse::dlp
