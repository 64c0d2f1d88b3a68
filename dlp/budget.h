// What the scan of one stream may cost. Spent once, it stays spent: the stream is denied.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "common/dlp/finding.h"
#include "common/policy/policy.h"

namespace gatehouse::dlp {

// Each layer holds decoders and readers of its own, some sixteen KB. A program of a few MB makes four hundred by
// chance.
inline constexpr size_t kMaxLayers = 512;
// Responses may be as long as they like, so their allowance grows with them.
inline constexpr uint64_t kInboundDecodedPerByte = 16;
inline constexpr std::chrono::nanoseconds kInboundTimePerByte{100};

class Budget {
 public:
  // Any clock that goes on while the stream's own work is done; it is read around that work only, so that a slow client
  // spends nothing.
  using Clock = std::function<std::chrono::nanoseconds()>;
  static std::chrono::nanoseconds steady_clock();

  Budget(const policy::Limits& limits, Direction direction, Clock clock);

  // Around each stretch of the stream's own work.
  void start_work();
  void stop_work();

  // Before the work itself; false from the moment that the budget is spent.
  bool read(size_t bytes);     // bytes of a part
  bool decoded(size_t bytes);  // bytes some decoder made
  bool too_deep();             // text, encoded once more than allowed
  bool more_layers(size_t layers);

  int max_depth() const { return limits_.decode_depth; }
  bool spent() const { return !reason_.empty(); }
  // Which limit it was, in words that name it as the policy does; empty while there is something left.
  const std::string& reason() const { return reason_; }

 private:
  bool work(size_t bytes);
  bool spend(std::string reason);

  const policy::Limits limits_;
  const bool inbound_;
  const Clock clock_;
  uint64_t read_ = 0;
  uint64_t decoded_ = 0;
  size_t unmeasured_ = 0;  // bytes since the clock was read last
  bool working_ = false;
  std::chrono::nanoseconds since_{0};
  std::chrono::nanoseconds worked_{0};
  std::string reason_;
};

}  // namespace gatehouse::dlp
