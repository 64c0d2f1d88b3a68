// What the launcher is doing while the user waits, and how long each stage took.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace gatehouse::launcher {

// Shows one line on stderr when that is a terminal, overwritten stage by stage and erased at the end. Each stage's time
// is a debug log line ("stage <name>: <ms> ms, <ms> ms since start"), shown with GATEHOUSE_LOG=debug.
class Progress {
 public:
  Progress();
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Ends the stage before and begins this one. `name` is one word, `shown` what the user reads; empty: nothing, as
  // after the guest's output, whose last line would be erased with it.
  void stage(std::string_view name, std::string_view shown = "");
  // Ends the last stage and erases the line.
  void finish();

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool terminal_;
  bool drawn_ = false;
  std::string name_;
  Time started_;
  Time stage_started_;
};

}  // namespace gatehouse::launcher
