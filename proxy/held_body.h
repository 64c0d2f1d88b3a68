// A request's body, held back until the scanner has seen all of it: in memory while it is small and there is room, in
// an unlinked file otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxBodyInMemoryBytes = 256 * 1024;            // of one body
inline constexpr size_t kMaxBodiesInMemoryBytes = 64 << 20;            // of all bodies of one worker
inline constexpr uint64_t kMaxBodiesInFilesBytes = uint64_t{2} << 30;  // likewise
inline constexpr size_t kBodyPieceBytes = 64 * 1024;                   // read back at once

// What the bodies of one worker may take up together; outlives them.
class BodyRoom {
 public:
  struct Bounds {
    size_t memory = kMaxBodiesInMemoryBytes;
    uint64_t files = kMaxBodiesInFilesBytes;
  };
  // `folder` is where the files are made: their names do not outlive their making.
  explicit BodyRoom(std::string folder) : BodyRoom(std::move(folder), Bounds()) {}
  BodyRoom(std::string folder, Bounds bounds) : folder_(std::move(folder)), bounds_(bounds) {}
  BodyRoom(const BodyRoom&) = delete;
  BodyRoom& operator=(const BodyRoom&) = delete;

  size_t memory() const { return memory_; }
  uint64_t files() const { return files_; }

 private:
  friend class HeldBody;
  std::string folder_;
  Bounds bounds_;
  size_t memory_ = 0;
  uint64_t files_ = 0;
};

// File access blocks, as far as the page cache ever does. After a failure the body is not to be used any more.
class HeldBody {
 public:
  explicit HeldBody(BodyRoom& room) : room_(room) {}
  ~HeldBody();
  HeldBody(const HeldBody&) = delete;
  HeldBody& operator=(const HeldBody&) = delete;

  // Fails when the disk is full, or the worker's room is.
  Result<void> append(std::string_view bytes);

  uint64_t size() const { return size_; }
  bool in_file() const { return static_cast<bool>(file_); }

  // The bytes from `offset` on, at least one and at most kBodyPieceBytes; valid until the next call. `offset` is below
  // size().
  Result<std::string_view> read(uint64_t offset);

  // Puts `filler` in place of `length` bytes; false when there are not so many from `offset` on.
  Result<bool> overwrite(uint64_t offset, uint64_t length, char filler);

 private:
  bool fits_in_memory(size_t more);
  Result<void> move_to_file();
  Result<void> write_file(std::string_view bytes, uint64_t offset);

  BodyRoom& room_;
  std::string memory_;
  size_t charged_ = 0;  // of the room's memory: what memory_ has reserved
  Fd file_;
  uint64_t size_ = 0;
  std::string piece_;  // read from the file
};

}  // namespace gatehouse::proxy
