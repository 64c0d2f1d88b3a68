#include "common/quota/budgets.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "common/base/fd.h"

namespace gatehouse {

namespace {

using policy::Allowance;
using policy::Quota;
using std::chrono::milliseconds;

constexpr uint64_t kMagic = 0x3173746567647542;  // "Budgets1"
constexpr uint64_t kMilli = 1000;                // tokens are counted in thousandths
constexpr int64_t kMinuteMs = 60'000;

std::string bytes_words(uint64_t bytes) {
  constexpr std::pair<uint64_t, std::string_view> kUnits[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};
  for (const auto& [factor, unit] : kUnits) {
    if (bytes >= factor && bytes % factor == 0) return fmt::format("{} {}", bytes / factor, unit);
  }
  return fmt::format("{} bytes", bytes);
}

Overdrawn used_up(const Quota& quota, const std::string& what) {
  return {{Verdict::deny, quota.rule, fmt::format("the budget of {} for {} is used up", what, quota.whose)}, {}};
}

// Whether `more` fits under `limit` beside what is used.
bool fits(uint64_t used, uint64_t more, uint64_t limit) { return used <= limit && more <= limit - used; }

}  // namespace

// As it lies in the file. A name that is there is never taken out again.
struct Budgets::Counter {
  char name[kMaxCounterNameBytes];
  uint64_t requests;
  uint64_t bytes_out;
  uint64_t bytes_in;
  uint64_t tokens;       // thousandths of a request that may come at once
  int64_t filled_at_ms;  // when they were counted; 0: never
};

struct Budgets::Table {
  uint64_t magic;
  uint64_t used;
  Counter counters[kMaxCounters];
};

Result<std::unique_ptr<Budgets>> Budgets::open(const std::string& file) {
  const Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno("cannot open {}", file);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("cannot look at {}", file);
  const bool fresh = status.st_size == 0;
  if (!fresh && status.st_size != static_cast<off_t>(sizeof(Table))) return fail("{} holds no budgets of ours", file);
  if (fresh && ::ftruncate(fd.get(), sizeof(Table)) != 0) return fail_errno("cannot make room in {}", file);
  void* mapped = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("cannot map {}", file);
  auto* table = static_cast<Table*>(mapped);
  std::unique_ptr<Budgets> budgets(new Budgets(table));
  // Killed between the two steps of its making, it is all zeros.
  if (table->magic == 0 && table->used == 0) table->magic = kMagic;
  if (table->magic != kMagic || table->used > kMaxCounters) return fail("{} holds no budgets of ours", file);
  return budgets;
}

std::unique_ptr<Budgets> Budgets::forgetful() {
  void* mapped = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* table = static_cast<Table*>(mapped);
  table->magic = kMagic;
  return std::unique_ptr<Budgets>(new Budgets(table));
}

Budgets::Budgets(Table* table) : table_(table) {
  const uint64_t used = std::min<uint64_t>(table_->used, kMaxCounters);
  for (uint64_t i = 0; i < used; ++i) {
    Counter& counter = table_->counters[i];
    index_.emplace(std::string(counter.name, ::strnlen(counter.name, kMaxCounterNameBytes)), &counter);
  }
}

Budgets::~Budgets() { ::munmap(table_, sizeof(Table)); }

// Null when there is no room for one more.
Budgets::Counter* Budgets::find(const std::string& name) {
  if (const auto known = index_.find(name); known != index_.end()) return known->second;
  if (table_->used >= kMaxCounters || name.size() >= kMaxCounterNameBytes) return nullptr;
  Counter& counter = table_->counters[table_->used];
  std::memset(&counter, 0, sizeof counter);
  std::memcpy(counter.name, name.data(), name.size());
  ++table_->used;  // last: what is not counted is not there
  index_.emplace(name, &counter);
  return &counter;
}

void Budgets::fill(Counter& counter, const Allowance& allowance, int64_t now_ms) {
  if (allowance.requests_per_minute == Allowance::kUnbounded) return;
  const uint64_t full = allowance.requests_per_minute * kMilli;
  if (counter.filled_at_ms == 0) {
    counter.tokens = full;
    counter.filled_at_ms = now_ms;
  } else if (now_ms < counter.filled_at_ms) {
    counter.filled_at_ms = now_ms;  // another boot's clock: what is there stays, and fills from now on
  } else {
    const auto passed = static_cast<uint64_t>(std::min(now_ms - counter.filled_at_ms, kMinuteMs));
    const uint64_t gained = full * passed / kMinuteMs;
    counter.tokens += gained;
    // Only the time that came to whole thousandths is used up, so that asking often loses nothing.
    counter.filled_at_ms += passed == static_cast<uint64_t>(kMinuteMs)
                                ? now_ms - counter.filled_at_ms
                                : static_cast<int64_t>(gained * kMinuteMs / full);
  }
  counter.tokens = std::min(counter.tokens, full);
}

std::optional<Overdrawn> Budgets::admit(const std::vector<Quota>& quotas, uint64_t bytes, Time now) {
  // Never 0, which is never.
  const int64_t now_ms = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count() + 1;
  const std::lock_guard lock(mutex_);
  std::vector<Counter*> counters;
  for (const auto& quota : quotas) {
    Counter* counter = find(quota.counter);
    if (counter == nullptr) {
      return Overdrawn{{Verdict::deny, quota.rule, fmt::format("{} cannot be counted: too many are", quota.whose)}, {}};
    }
    const Allowance& allowed = quota.allowance;
    fill(*counter, allowed, now_ms);
    if (!fits(counter->requests, 1, allowed.requests)) {
      return used_up(quota, fmt::format("{} requests", allowed.requests));
    }
    if (!fits(counter->bytes_out, bytes, allowed.bytes_out)) {
      return used_up(quota, bytes_words(allowed.bytes_out) + " to be sent");
    }
    if (!fits(counter->bytes_in, 0, allowed.bytes_in) || counter->bytes_in == allowed.bytes_in) {
      return used_up(quota, bytes_words(allowed.bytes_in) + " to be received");
    }
    const uint64_t rate = allowed.requests_per_minute;
    if (rate != Allowance::kUnbounded && counter->tokens < kMilli) {
      const uint64_t wait_ms = (kMilli - counter->tokens) * kMinuteMs / (rate * kMilli);
      const std::chrono::seconds wait(static_cast<int64_t>((wait_ms + 999) / 1000));
      return Overdrawn{
          {Verdict::deny, quota.rule,
           fmt::format("more than {} requests a minute for {}: try again in {} s", rate, quota.whose, wait.count())},
          wait};
    }
    counters.push_back(counter);
  }
  for (size_t i = 0; i < quotas.size(); ++i) {
    ++counters[i]->requests;
    counters[i]->bytes_out += bytes;
    if (quotas[i].allowance.requests_per_minute != Allowance::kUnbounded) counters[i]->tokens -= kMilli;
  }
  return std::nullopt;
}

std::optional<Overdrawn> Budgets::spend(const std::vector<Quota>& quotas, uint64_t bytes_out, uint64_t bytes_in) {
  const std::lock_guard lock(mutex_);
  for (const auto& quota : quotas) {
    const Counter* counter = find(quota.counter);
    if (counter == nullptr || !fits(counter->bytes_out, bytes_out, quota.allowance.bytes_out)) {
      return used_up(quota, bytes_words(quota.allowance.bytes_out) + " to be sent");
    }
    if (!fits(counter->bytes_in, bytes_in, quota.allowance.bytes_in)) {
      return used_up(quota, bytes_words(quota.allowance.bytes_in) + " to be received");
    }
  }
  for (const auto& quota : quotas) {
    Counter* counter = find(quota.counter);
    counter->bytes_out += bytes_out;
    counter->bytes_in += bytes_in;
  }
  return std::nullopt;
}

}  // namespace gatehouse
