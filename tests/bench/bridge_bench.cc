// The real gatehouse-bridge between a driver that runs real rings (in place of QEMU and a guest) and a service on a
// Unix socket: MB/s each way, connections a second, memory at rest. Three processes' worth of work, so the figures
// depend on the number of cores as well.
//   bridge_bench [path to gatehouse-bridge]
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/net/endpoint.h"
#include "launcher/bridge/test_guest.h"

extern char** environ;

namespace gatehouse::bridge {
namespace {

using Clock = std::chrono::steady_clock;
using test::GuestSocket;
using test::Packet;
using test::TestGuest;

constexpr uint32_t kSinkPort = 1;    // reads and forgets
constexpr uint32_t kSourcePort = 2;  // writes until it is closed
constexpr uint64_t kTransferBytes = uint64_t{2} << 30;
constexpr int kConnections = 20000;
constexpr int kConnectionsUnderWay = 32;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Serves every connection on a thread of its own until the process ends.
void serve(int listening, bool source) {
  std::thread([listening, source] {
    while (true) {
      const int socket = ::accept(listening, nullptr, nullptr);
      if (socket < 0) return;
      std::thread([socket = Fd(socket), source] {
        std::string buffer(256 * 1024, 'x');
        while ((source ? ::send(socket.get(), buffer.data(), buffer.size(), MSG_NOSIGNAL)
                       : ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0) {
        }
      }).detach();
    }
  }).detach();
}

Fd listen_blocking(const std::string& path) {
  Fd socket = open_socket(parse_endpoint("unix:" + path).value()).value();
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  return socket;
}

long resident_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    long value = 0;
    if (word == "VmRSS:" && status >> value) return value;
  }
  return 0;
}

class Bench {
 public:
  Bench(const std::string& binary, const TestGuest::Shape& shape) : guest_(shape) {
    const std::string vhost = directory_ + "/vhost";
    const std::string sink = directory_ + "/sink", source = directory_ + "/source";
    sink_ = listen_blocking(sink);
    source_ = listen_blocking(source);
    serve(sink_.get(), false);
    serve(source_.get(), true);
    std::vector<std::string> words = {binary,
                                      "--listen",
                                      "unix:" + vhost,
                                      "--guest-port",
                                      std::to_string(kSinkPort) + "=unix:" + sink,
                                      "--guest-port",
                                      std::to_string(kSourcePort) + "=unix:" + source};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, binary.c_str(), nullptr, nullptr, argv.data(), environ) != 0) {
      fmt::print(stderr, "cannot run {}\n", binary);
      std::exit(1);
    }
    connect(vhost);
  }
  ~Bench() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }

  void run(std::string_view label) {
    fmt::print("{}\n  resident at rest          {:>9.1f} MiB\n", label, static_cast<double>(resident_kib(pid_)) / 1024);
    fmt::print("  guest to host             {:>9.0f} MB/s\n", upload());
    fmt::print("  host to guest             {:>9.0f} MB/s\n", download());
    fmt::print("  connections opened, reset {:>9.0f} /s\n", connections());
    fmt::print("  resident afterwards       {:>9.1f} MiB\n", static_cast<double>(resident_kib(pid_)) / 1024);
  }

 private:
  void connect(const std::string& path) {
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

  // Sleeps until the device has called for one of the queues, as a guest's processor would.
  void wait() {
    const bool ready = guest_.receive_queue().ask_for_call();
    if (guest_.transmit_queue().ask_for_call() || ready) return;
    std::array<pollfd, 2> calls{pollfd{guest_.call_fd(0), POLLIN, 0}, pollfd{guest_.call_fd(1), POLLIN, 0}};
    ::poll(calls.data(), calls.size(), 1000);
    eventfd_t count = 0;
    for (const auto& call : calls) ::eventfd_read(call.fd, &count);
  }
  Packet next() {
    while (true) {
      if (auto packet = guest_.receive()) return std::move(*packet);
      wait();
    }
  }
  void send(const PacketHeader& header, std::string_view payload = {}) {
    while (!guest_.can_send()) wait();
    guest_.send(header, payload);
  }
  GuestSocket open(uint32_t port) {
    GuestSocket socket{.guest_port = next_port_++, .host_port = port, .buffer = 4 << 20};
    send(socket.header(Op::request));
    socket.note(next());
    return socket;
  }

  double upload() {
    auto socket = open(kSinkPort);
    const std::string payload(kMaxPayloadBytes, 'x');
    const auto start = Clock::now();
    for (uint64_t sent = 0; sent < kTransferBytes;) {
      while (const auto packet = guest_.receive()) socket.note(*packet);
      if (socket.credit() < payload.size() || !guest_.can_send()) {
        wait();
        continue;
      }
      guest_.send(socket.header(Op::data), payload);
      socket.sent += static_cast<uint32_t>(payload.size());
      sent += payload.size();
    }
    const double rate = static_cast<double>(kTransferBytes) / 1e6 / seconds_since(start);
    send(socket.header(Op::reset));
    return rate;
  }

  double download() {
    auto socket = open(kSourcePort);
    const auto start = Clock::now();
    uint32_t told = 0;
    for (uint64_t got = 0; got < kTransferBytes;) {
      const auto packet = next();
      socket.note(packet);
      got += packet.payload.size();
      if (socket.received - told > socket.buffer / 4 && guest_.can_send()) {
        guest_.send(socket.header(Op::credit_update));
        told = socket.received;
      }
    }
    const double rate = static_cast<double>(kTransferBytes) / 1e6 / seconds_since(start);
    send(socket.header(Op::reset));
    return rate;
  }

  double connections() {
    while (guest_.receive()) {
    }
    const auto start = Clock::now();
    int opened = 0, done = 0;
    while (done < kConnections) {
      while (opened < kConnections && opened - done < kConnectionsUnderWay) {
        send(GuestSocket{.guest_port = next_port_++, .host_port = kSinkPort}.header(Op::request));
        ++opened;
      }
      const auto packet = next();
      if (packet.header.op != Op::response) continue;
      send(GuestSocket{.guest_port = packet.header.destination_port, .host_port = kSinkPort}.header(Op::reset));
      ++done;
    }
    return kConnections / seconds_since(start);
  }

  std::string directory_ = [] {
    std::string made = "/tmp/bridge-bench-XXXXXX";
    return std::string(::mkdtemp(made.data()));
  }();
  TestGuest guest_;
  Fd sink_, source_, qemu_;
  pid_t pid_ = 0;
  uint32_t next_port_ = 1000;
};

}  // namespace
}  // namespace gatehouse::bridge

int main(int argc, char** argv) {
  using namespace gatehouse::bridge;
  const auto beside = std::filesystem::path(argv[0]).parent_path() / "../bin/gatehouse-bridge";
  const std::string binary = argc > 1 ? argv[1] : beside.string();
  Bench(binary, {}).run("buffers of 4 KiB, as Linux 6.1 gives");
  Bench(binary, {.queue_size = 128, .receive_payload = kMaxPayloadBytes}).run("buffers of 64 KiB");
}
