// What a session may still do: requests, bytes and requests a minute, of the whole session, of each host and of each
// rule; calls of tools are requests, too. Passive: the time goes in. One for all workers; thread-safe.
//
// The counters live in a file that the process maps, beside the audit log: a gate that is killed and started again
// finds them as they were (the kernel keeps the pages), so that a crash hands nothing out anew. A new session has a new
// log and new counters.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/policy/quota.h"

namespace gatehouse {

inline constexpr size_t kMaxCounters = 4096;  // hosts and rules that are counted; more are refused
inline constexpr size_t kMaxCounterNameBytes = 400;

// Why a request must not go (on).
struct Overdrawn {
  Decision denial;
  std::chrono::seconds retry_after{0};  // when it may be tried again; 0: never in this session
};

class Budgets {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Maps the file, made with zeros where there is none. An unreadable one, or one of another layout, is an error.
  static Result<std::unique_ptr<Budgets>> open(const std::string& file);
  // In memory alone: for tests, and where no policy counts anything.
  static std::unique_ptr<Budgets> forgetful();
  ~Budgets();

  // One request that is let through, with so many bytes of head, is counted for each of `quotas`, or for none when one
  // of them has nothing left. Requests a minute come from a bucket that holds a minute's and fills evenly.
  std::optional<Overdrawn> admit(const std::vector<policy::Quota>& quotas, uint64_t bytes, Time now);

  // Bytes of bodies that are about to move; counted for all or, when one has not as many left, for none.
  std::optional<Overdrawn> spend(const std::vector<policy::Quota>& quotas, uint64_t bytes_out, uint64_t bytes_in);

 private:
  struct Counter;
  struct Table;
  explicit Budgets(Table* table);
  Counter* find(const std::string& name);
  static void fill(Counter& counter, const policy::Allowance& allowance, int64_t now_ms);

  std::mutex mutex_;
  Table* table_;  // mapped
  std::unordered_map<std::string, Counter*> index_;
};

}  // namespace gatehouse
