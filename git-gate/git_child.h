// One git process that reads bytes of the guest's: without a network or new sockets, without anything of the host's
// configuration, and with limits of time, memory and file size that the kernel keeps.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/git/gate_protocol.h"
#include "common/net/stream.h"

namespace gatehouse::git_gate {

using git::kGitProgram;

inline constexpr uint64_t kChildMemoryBytes = uint64_t{640} << 20;  // of address space: the program, its maps and data
// Of its own: for the largest file that is let by default, what it is a delta to, and the delta.
inline constexpr uint64_t kChildDataBytes = uint64_t{160} << 20;
inline constexpr std::chrono::seconds kChildTime{60};
inline constexpr int kChildDescriptors = 64;
inline constexpr size_t kMaxChildQueuedBytes = 1 << 20;
inline constexpr uint64_t kIndexBytesPerObject = 64;  // that index-pack writes
inline constexpr size_t kMaxChildWordsBytes = 4096;   // of what it says on standard error

class GitChild {
 public:
  struct Settings {
    std::string git_dir;
    std::vector<std::string> arguments;      // after "git"
    uint64_t file_bytes = 0;                 // the largest file that it may write
    uint64_t data_bytes = kChildDataBytes;   // memory of its own, as far as no file is mapped into it
    std::chrono::seconds time = kChildTime;  // of a processor
  };
  // None comes from within a call of ours; each may destroy the child.
  struct Callbacks {
    std::function<void(std::string_view)> output;
    std::function<void(Result<void>)> ended;  // once, when it is gone and all it said has been handed on
    std::function<void()> drained;            // all that was written has been taken
  };

  static Result<std::unique_ptr<GitChild>> start(Loop& loop, const Settings& settings, Callbacks callbacks);
  // Kills it if it still runs.
  ~GitChild();

  void write(std::string_view bytes);
  size_t queued() const { return input_ ? input_->queued() : 0; }
  void close_input();  // once what is queued is out
  void read(bool wanted);

 private:
  GitChild(const Settings& settings, Callbacks callbacks)
      : name_("git " + settings.arguments.front()), git_dir_(settings.git_dir), callbacks_(std::move(callbacks)) {}
  void exited();
  void end_when_over();

  std::string name_;
  std::string git_dir_;
  Callbacks callbacks_;
  pid_t pid_ = -1;
  Fd pidfd_;
  int status_ = 0;
  std::string words_;  // of standard error
  bool output_over_ = false;
  std::unique_ptr<Stream> input_;
  std::unique_ptr<Stream> output_;
  std::unique_ptr<Stream> errors_;
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace gatehouse::git_gate
