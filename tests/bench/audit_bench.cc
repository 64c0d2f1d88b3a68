// Rows a second into the audit log: one at a time (each waits for its commit, as a gate under a single slow client) and
// as many as are in flight (group commit), with the chain, the JSON-free row and SQLite included.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "common/audit/log.h"
#include "common/audit/reader.h"
#include "common/audit/tool_call_finder.h"
#include "common/base/uuid.h"

namespace gatehouse::audit {
namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("gatehouse-bench-" + make_uuid())) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string log() const { return path_ / "audit.db"; }

 private:
  std::filesystem::path path_;
};

NetEvent event() {
  NetEvent event;
  event.event_id = make_uuid();
  event.trace_id = event.event_id;
  event.decision = {Verdict::allow, "npm-read", "the policy allows GET from registry.npmjs.org"};
  event.channel = "https";
  event.host = event.sni = "registry.npmjs.org";
  event.address = "198.18.0.7";
  event.port = 443;
  event.method = "GET";
  event.path = "/left-pad/-/left-pad-1.3.0.tgz";
  return event;
}

// Runs completions on the writer thread and lets the producer wait for room.
class Window final : public Executor {
 public:
  explicit Window(size_t rows) : free_(rows), rows_(rows) {}
  void post(std::function<void()> task) override {
    task();
    room_.notify_one();
  }
  void take() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return free_ > 0; });
    --free_;
  }
  void give() {
    const std::lock_guard lock(mutex_);
    ++free_;
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return free_ == rows_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  size_t free_;
  size_t rows_;
};

// state.range(0) rows are in flight at once.
void AuditRows(benchmark::State& state) {
  const Folder folder;
  Window window(static_cast<size_t>(state.range(0)));
  auto log = AuditLog::open({folder.log(), "bench", "proxy"});
  if (!log) return state.SkipWithError(log.error().message().c_str());
  bool failed = false;
  for (auto _ : state) {
    window.take();
    (*log)->append(event(), window, [&](const Result<void>& result) {
      failed = failed || !result;
      window.give();
    });
  }
  window.wait_for_all();
  if (failed) state.SkipWithError("a row was refused");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(AuditRows)->Name("audit rows, in flight")->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

void AuditVerify(benchmark::State& state) {
  constexpr int kRows = 50'000;
  const Folder folder;
  {
    auto log = AuditLog::open({folder.log(), "bench", "proxy"});
    if (!log) return state.SkipWithError(log.error().message().c_str());
    for (int i = 0; i < kRows; ++i) {
      if (i % 4096 == 0) (void)(*log)->append_and_wait(event());
      (*log)->append(event());
    }
  }
  for (auto _ : state) {
    auto report = verify(folder.log());
    if (!report || !report->faults.empty()) return state.SkipWithError("the log does not verify");
    state.SetItemsProcessed(state.items_processed() + report->rows);
  }
}
BENCHMARK(AuditVerify)->Name("audit verify, rows")->Unit(benchmark::kMillisecond);

// Which model asked for a call: 10,000 wishes on record, and a row committed before every look, so that what the reader
// remembers of the file is always old.
void FindToolCall(benchmark::State& state) {
  const Folder folder;
  auto log = AuditLog::open({folder.log(), "bench", "proxy"});
  if (!log) return state.SkipWithError(log.error().message().c_str());
  for (int i = 0; i < 10'000; ++i) {
    ToolCall row;
    row.trace_id = make_uuid();
    row.name = "mcp__gatehouse__files__read_file";
    row.kind = "function";
    row.call_hash = fmt::format("{:016x}", i);
    (*log)->append(row);
    if (i % 1000 == 999) (void)(*log)->append_and_wait(event());
  }
  auto finder = ToolCallFinder::open(folder.log());
  if (!finder) return state.SkipWithError(finder.error().message().c_str());
  const std::string wanted = fmt::format("{:016x}", state.range(0) != 0 ? 5'000 : 20'000);
  const auto now = now_utc_us();
  for (auto _ : state) {
    state.PauseTiming();
    (void)(*log)->append_and_wait(event());
    state.ResumeTiming();
    const auto found = (*finder)->find(wanted, now, [](std::string_view name) { return name.ends_with("read_file"); });
    if (found.has_value() != (state.range(0) != 0)) return state.SkipWithError("wrong answer");
  }
}
BENCHMARK(FindToolCall)->Name("look for a model's wish, found")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gatehouse::audit
