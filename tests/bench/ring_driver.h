// For benchmarks: a guest's driver on real rings before the real gatehouse-bridge, in place of QEMU and a guest.
#pragma once

#include <poll.h>
#include <spawn.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "launcher/bridge/test_guest.h"

extern char** environ;

namespace gatehouse::bridge::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A program that runs until this goes. Ends the benchmark when it cannot be run.
class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0) return;
    fmt::print(stderr, "cannot run {}\n", words[0]);
    std::exit(1);
  }
  ~Program() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

class RingDriver {
 public:
  // Connects to the bridge that listens, or soon will, on the Unix socket `path`.
  RingDriver(const test::TestGuest::Shape& shape, const std::string& path) : guest_(shape) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    qemu_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto start = Clock::now();
    while (::connect(qemu_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      if (seconds_since(start) > 10) std::exit(1);
      std::this_thread::yield();
    }
    for (auto& each : guest_.setup()) test::send_message(qemu_.get(), each);
    guest_.post_buffers();
    test::send_message(qemu_.get(), test::message(VhostRequest::get_features));
    std::array<char, 20> reply;
    if (::recv(qemu_.get(), reply.data(), reply.size(), MSG_WAITALL) != static_cast<ssize_t>(reply.size()))
      std::exit(1);
  }

  test::TestGuest& guest() { return guest_; }

  // Sleeps until the device has called for one of the queues, as a guest's processor would.
  void wait() {
    const bool ready = guest_.receive_queue().ask_for_call();
    if (guest_.transmit_queue().ask_for_call() || ready) return;
    std::array<pollfd, 2> calls{pollfd{guest_.call_fd(0), POLLIN, 0}, pollfd{guest_.call_fd(1), POLLIN, 0}};
    ::poll(calls.data(), calls.size(), 1000);
    eventfd_t count = 0;
    for (const auto& call : calls) ::eventfd_read(call.fd, &count);
  }
  test::Packet next() {
    while (true) {
      if (auto packet = guest_.receive()) return std::move(*packet);
      wait();
    }
  }
  void send(const PacketHeader& header, std::string_view payload = {}) {
    while (!guest_.can_send()) wait();
    guest_.send(header, payload);
  }
  // A connection to a port that is served; nothing else may be under way.
  test::GuestSocket open(uint32_t port) {
    test::GuestSocket socket{.guest_port = next_port_++, .host_port = port, .buffer = 4 << 20};
    send(socket.header(Op::request));
    socket.note(next());
    return socket;
  }
  uint32_t fresh_port() { return next_port_++; }

 private:
  test::TestGuest guest_;
  Fd qemu_;
  uint32_t next_port_ = 1000;
};

}  // namespace gatehouse::bridge::bench
