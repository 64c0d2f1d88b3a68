// How far a scan of files has come: a bar on stderr when that is a terminal, nothing otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "launcher/file_scan.h"

namespace gatehouse::launcher {

class ScanProgress {
 public:
  explicit ScanProgress(const std::vector<FileToScan>& files);

  void add(uint64_t bytes);
  // Takes the bar off the terminal, before a line is printed; the next add() may draw it again.
  void erase();
  // "12.3 MB in 0.4 s".
  std::string summary() const;

 private:
  using Clock = std::chrono::steady_clock;
  void draw();

  const bool terminal_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  bool drawn_ = false;
  Clock::time_point began_ = Clock::now();
  Clock::time_point next_draw_ = began_;
};

}  // namespace gatehouse::launcher
