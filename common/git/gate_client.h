// How the proxy asks gatehouse-git-gate. A gate that is away, late or incomprehensible is an error, and whoever gets
// one denies.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "common/git/gate_protocol.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"

namespace gatehouse::git {

inline constexpr size_t kMaxGateQueuedBytes = 1 << 20;

// One push under way. Destroying it abandons it and no callback follows.
class Judging {
 public:
  virtual ~Judging() = default;
  // Bytes of the body; dropped once there is a verdict. The caller stops above kMaxGateQueuedBytes until `drained`.
  virtual void write(std::string_view bytes) = 0;
  virtual void finish() = 0;  // the body is over
  // What came of a read; the end with why there is not all of it, or empty.
  virtual void came(std::string_view bytes) = 0;
  virtual void came_end(std::string_view why_not) = 0;
  virtual size_t queued() const = 0;
};

// Belongs to one loop, which outlives it; it outlives its judgings.
class GateClient {
 public:
  // None comes from within a call of ours; `verdict` comes once and may destroy the judging, which no other may.
  struct Callbacks {
    std::function<void(Result<PushVerdict>)> verdict;
    std::function<void()> drained;
    // The gate wants to know what the push builds on: gate_protocol.h.
    std::function<void(std::string)> read;
  };
  // `deadline`: for the gate to take what is queued, and for the verdict after the end.
  static std::unique_ptr<GateClient> create(Loop& loop, Endpoint gate, std::chrono::milliseconds deadline);
  virtual ~GateClient() = default;
  virtual std::unique_ptr<Judging> open(const PushQuestion& question, Callbacks callbacks) = 0;
};

}  // namespace gatehouse::git
