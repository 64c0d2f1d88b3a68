#include "proxy/held_body.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>

namespace gatehouse::proxy {

namespace {

constexpr mode_t kOwnerOnly = 0600;

// A file that nobody else can open and that is gone with its descriptor.
Result<Fd> make_unnamed_file(const std::string& folder) {
  Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kOwnerOnly));
  if (file) return file;
  // Not every file system knows unnamed files; then it has a name for a moment.
  std::string name = folder + "/.held-XXXXXX";
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return fail_errno("cannot make a file for a request's body in {}", folder);
  if (::unlink(name.c_str()) != 0) return fail_errno("cannot remove {}", name);
  return file;
}

}  // namespace

HeldBody::~HeldBody() {
  room_.memory_ -= charged_;
  if (file_) room_.files_ -= size_;
}

Result<void> HeldBody::append(std::string_view bytes) {
  if (!file_ && !fits_in_memory(bytes.size())) {
    if (auto ok = move_to_file(); !ok) return ok;
  }
  if (file_) {
    if (auto ok = write_file(bytes, size_); !ok) return ok;
    room_.files_ += bytes.size();
  } else {
    memory_ += bytes;
  }
  size_ += bytes.size();
  return {};
}

// Reserves, and charges the room for, what `more` bytes need.
bool HeldBody::fits_in_memory(size_t more) {
  const size_t needed = memory_.size() + more;
  if (needed > kMaxBodyInMemoryBytes) return false;
  if (needed <= charged_) return true;
  const size_t wanted = std::min(std::max(needed, 2 * charged_), kMaxBodyInMemoryBytes);
  if (room_.memory_ - charged_ + wanted > room_.bounds_.memory) return false;
  memory_.reserve(wanted);
  room_.memory_ += wanted - charged_;
  charged_ = wanted;
  return true;
}

Result<void> HeldBody::move_to_file() {
  auto file = make_unnamed_file(room_.folder_);
  if (!file) return failed(file);
  file_ = std::move(*file);
  const std::string bytes = std::exchange(memory_, std::string());
  room_.memory_ -= std::exchange(charged_, 0);
  room_.files_ += bytes.size();
  return write_file(bytes, 0);
}

Result<void> HeldBody::write_file(std::string_view bytes, uint64_t offset) {
  const uint64_t growth = offset + bytes.size() > size_ ? offset + bytes.size() - size_ : 0;
  if (room_.files_ + growth > room_.bounds_.files) return fail("too many bytes of requests are held already");
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_errno("cannot hold a request's body in {}", room_.folder_);
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Result<std::string_view> HeldBody::read(uint64_t offset) {
  assert(offset < size_);
  const auto count = static_cast<size_t>(std::min<uint64_t>(size_ - offset, kBodyPieceBytes));
  if (!file_) return std::string_view(memory_).substr(static_cast<size_t>(offset), count);
  piece_.resize(count);
  ssize_t got = 0;
  do {
    got = ::pread(file_.get(), piece_.data(), count, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("cannot read a held body");
  if (got == 0) return fail("a held body is shorter than what was written");
  return std::string_view(piece_).substr(0, static_cast<size_t>(got));
}

Result<bool> HeldBody::overwrite(uint64_t offset, uint64_t length, char filler) {
  if (offset > size_ || length > size_ - offset) return false;
  if (!file_) {
    memory_.replace(static_cast<size_t>(offset), static_cast<size_t>(length), static_cast<size_t>(length), filler);
    return true;
  }
  const std::string fill(static_cast<size_t>(std::min<uint64_t>(length, kBodyPieceBytes)), filler);
  while (length > 0) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(length, fill.size()));
    if (auto ok = write_file(std::string_view(fill).substr(0, count), offset); !ok) return failed(ok);
    offset += count;
    length -= count;
  }
  return true;
}

}  // namespace gatehouse::proxy
