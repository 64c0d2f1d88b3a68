#include "launcher/scan_progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace gatehouse::launcher {

namespace {

constexpr std::chrono::milliseconds kDrawPeriod{100};
constexpr size_t kBarWidth = 40;
constexpr double kMegabyte = 1e6;

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

ScanProgress::ScanProgress(const std::vector<FileToScan>& files) : terminal_(::isatty(STDERR_FILENO) == 1) {
  for (const auto& file : files) total_ += file.bytes;
}

void ScanProgress::add(uint64_t bytes) {
  done_ += bytes;
  if (!terminal_ || Clock::now() < next_draw_) return;
  next_draw_ = Clock::now() + kDrawPeriod;
  draw();
}

// Files may have grown since they were listed, and standard input has no size.
void ScanProgress::draw() {
  const auto done = static_cast<double>(done_) / kMegabyte;
  const double speed = done / std::max(seconds_since(began_), 1e-3);
  if (total_ == 0) {
    fmt::print(stderr, "\r\033[K{:.1f} MB, {:.0f} MB/s", done, speed);
  } else {
    const double part = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
    const auto full = static_cast<size_t>(part * kBarWidth);
    fmt::print(stderr, "\r\033[K[{}{}] {:3.0f} %, {:.0f} MB/s", std::string(full, '#'),
               std::string(kBarWidth - full, '.'), part * 100, speed);
  }
  std::fflush(stderr);
  drawn_ = true;
}

void ScanProgress::erase() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

std::string ScanProgress::summary() const {
  return fmt::format("{:.1f} MB in {:.1f} s", static_cast<double>(done_) / kMegabyte, seconds_since(began_));
}

}  // namespace gatehouse::launcher
