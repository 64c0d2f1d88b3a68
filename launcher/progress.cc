#include "launcher/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "common/base/log.h"

namespace gatehouse::launcher {

namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

int64_t milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Progress::Progress()
    : terminal_(::isatty(STDERR_FILENO) == 1), started_(std::chrono::steady_clock::now()), stage_started_(started_) {}

void Progress::stage(std::string_view name, std::string_view shown) {
  finish();
  name_ = name;
  drawn_ = terminal_ && !shown.empty();
  if (drawn_) fmt::print(stderr, "{}gatehouse: {}...", kEraseLine, shown);
}

void Progress::finish() {
  if (name_.empty()) return;
  if (std::exchange(drawn_, false)) fmt::print(stderr, "{}", kEraseLine);
  const auto now = std::chrono::steady_clock::now();
  log::debug("stage {}: {} ms, {} ms since start", name_, milliseconds(now - stage_started_),
             milliseconds(now - started_));
  stage_started_ = now;
  name_.clear();
}

}  // namespace gatehouse::launcher
