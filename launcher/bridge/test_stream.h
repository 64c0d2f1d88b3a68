// For tests: a host's end of a connection that is two strings.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "launcher/bridge/host_stream.h"

namespace gatehouse::bridge::test {

// What the far end of a ScriptedStream does and sees; it outlives the stream.
struct FarEnd {
  std::string to_read;        // waits to be read
  bool ended = false;         // nothing comes after it
  bool reset = false;         // reading and writing fail
  bool deaf = false;          // writing fails
  bool gone = false;          // both directions are closed
  std::string written;        // has arrived
  size_t room = SIZE_MAX;     // for so many more bytes
  bool sending_shut = false;  // the bridge sends no more
  bool receiving_shut = false;
  bool watches_readable = false;
  bool watches_writable = false;
  bool open = true;
};

class ScriptedStream final : public HostStream {
 public:
  explicit ScriptedStream(FarEnd& far) : far_(far) {}
  ~ScriptedStream() override { far_.open = false; }

  Moved read(std::span<const iovec> into) override {
    if (far_.reset) return {Status::failed, 0};
    size_t done = 0;
    for (const auto& part : into) {
      const size_t length = std::min(part.iov_len, far_.to_read.size() - done);
      far_.to_read.copy(static_cast<char*>(part.iov_base), length, done);
      done += length;
    }
    far_.to_read.erase(0, done);
    if (done > 0) return {Status::ok, done};
    return {far_.ended ? Status::ended : Status::would_block, 0};
  }
  Moved write(std::span<const iovec> bytes) override {
    if (far_.reset || far_.deaf) return {Status::failed, 0};
    size_t done = 0;
    for (const auto& part : bytes) {
      const size_t length = std::min(part.iov_len, far_.room);
      far_.written.append(static_cast<const char*>(part.iov_base), length);
      far_.room -= length;
      done += length;
    }
    return {done > 0 ? Status::ok : Status::would_block, done};
  }
  void shutdown_sending() override { far_.sending_shut = true; }
  void shutdown_receiving() override { far_.receiving_shut = true; }
  bool hung_up() const override { return far_.gone; }
  void watch(bool readable, bool writable) override {
    far_.watches_readable = readable;
    far_.watches_writable = writable;
  }

 private:
  FarEnd& far_;
};

}  // namespace gatehouse::bridge::test
