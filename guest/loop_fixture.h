// What the guest's tests with a loop share: turning it until something holds, a host end of its wire as a Unix socket,
// and a stream that keeps what it receives.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <list>
#include <string>

#include "common/net/endpoint.h"
#include "common/net/loop.h"
#include "common/net/stream.h"
#include "guest/vsock.h"

namespace gatehouse::guest {

// Turns the loop until `done` holds, at most ten seconds.
template <class Condition>
bool turn_until(Loop& loop, Condition done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.turn();
  }
  return true;
}

struct Recorder {
  explicit Recorder(std::unique_ptr<Stream> adopted, bool read = true) : stream(std::move(adopted)) {
    stream->set_callbacks({.data = [this](std::string_view bytes) { received += bytes; },
                           .end = [this] { ended = true; },
                           .error = [this](const Error& error) { failure = error.message(); },
                           .drained = {}});
    if (read) stream->start_reading();
  }
  bool over() const { return ended || !failure.empty(); }

  std::unique_ptr<Stream> stream;
  std::string received;
  bool ended = false;
  std::string failure;
};

class LoopTest : public testing::Test {
 protected:
  LoopTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "guest-test-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
  }
  ~LoopTest() override { std::filesystem::remove_all(folder_); }

  Endpoint host_endpoint() const { return {Endpoint::Kind::unix_stream, {}, 0, folder_ + "/host"}; }

  // The host listens; what connects is appended to hosts_. Not reading leaves the bytes with the sender.
  void open_host(bool read = true) {
    auto listener = Listener::start(loop_, std::move(*open_socket(host_endpoint())),
                                    [this, read](auto stream) { hosts_.emplace_back(std::move(stream), read); });
    host_listener_ = std::move(*listener);
  }
  Connect connect_to_host() {
    return [this](Connecting::OnDone on_done) { return connect_stream(loop_, host_endpoint(), std::move(on_done)); };
  }

  std::string folder_;
  Loop loop_;
  std::unique_ptr<Listener> host_listener_;
  std::list<Recorder> hosts_;
};

}  // namespace gatehouse::guest
