// What the processes of the house print, and the guest's console: kept in files of bounded size, since the guest can
// make them print without end.
#pragma once

#include <memory>
#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/net/loop.h"

namespace gatehouse::launcher {

inline constexpr size_t kMaxCapturedLogBytes = 8 << 20;
inline constexpr size_t kLogTailBytes = 2048;

class CapturedLog {
 public:
  // Starts `path` (0600) afresh. Once it holds `limit` bytes it becomes `path`.old, replacing an earlier one, and a new
  // file begins.
  static Result<std::unique_ptr<CapturedLog>> start(Loop& loop, std::string path, size_t limit = kMaxCapturedLogBytes);

  // The end of the pipe that children write to.
  int write_end() const { return pipe_.write.get(); }

  // Reads what the pipe holds now without waiting for the loop.
  void drain();

  // The last whole lines, at most kLogTailBytes, printable.
  std::string tail() const;

  const std::string& path() const { return path_; }

 private:
  CapturedLog(std::string path, size_t limit, PipeEnds pipe)
      : path_(std::move(path)), limit_(limit), pipe_(std::move(pipe)) {}
  Result<void> begin_file();
  void keep(std::string_view bytes);

  std::string path_;
  size_t limit_;
  PipeEnds pipe_;
  Fd file_;
  size_t written_ = 0;
  std::string tail_;
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace gatehouse::launcher
