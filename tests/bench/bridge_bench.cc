// The real gatehouse-bridge between a driver that runs real rings (in place of QEMU and a guest) and a service on a
// Unix socket: MB/s each way, connections a second, memory at rest. Three processes' worth of work, so the figures
// depend on the number of cores as well.
//   bridge_bench [path to gatehouse-bridge]
#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "common/net/endpoint.h"
#include "tests/bench/ring_driver.h"

namespace gatehouse::bridge::bench {
namespace {

using test::GuestSocket;

constexpr uint32_t kSinkPort = 1;    // reads and forgets
constexpr uint32_t kSourcePort = 2;  // writes until it is closed
constexpr uint64_t kTransferBytes = uint64_t{2} << 30;
constexpr int kConnections = 20000;
constexpr int kConnectionsUnderWay = 32;

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
  Bench(const std::string& binary, const test::TestGuest::Shape& shape)
      : sink_(listen_blocking(directory_ + "/sink")),
        source_(listen_blocking(directory_ + "/source")),
        bridge_({binary, "--listen", "unix:" + directory_ + "/vhost", "--guest-port",
                 fmt::format("{}=unix:{}/sink", kSinkPort, directory_), "--guest-port",
                 fmt::format("{}=unix:{}/source", kSourcePort, directory_)}),
        driver_(shape, directory_ + "/vhost") {
    serve(sink_.get(), false);
    serve(source_.get(), true);
  }
  ~Bench() { std::filesystem::remove_all(directory_); }

  void run(std::string_view label) {
    fmt::print("{}\n  resident at rest          {:>9.1f} MiB\n", label,
               static_cast<double>(resident_kib(bridge_.pid())) / 1024);
    fmt::print("  guest to host             {:>9.0f} MB/s\n", upload());
    fmt::print("  host to guest             {:>9.0f} MB/s\n", download());
    fmt::print("  connections opened, reset {:>9.0f} /s\n", connections());
    fmt::print("  resident afterwards       {:>9.1f} MiB\n", static_cast<double>(resident_kib(bridge_.pid())) / 1024);
  }

 private:
  double upload() {
    auto socket = driver_.open(kSinkPort);
    const std::string payload(kMaxPayloadBytes, 'x');
    const auto start = Clock::now();
    for (uint64_t sent = 0; sent < kTransferBytes;) {
      while (const auto packet = driver_.guest().receive()) socket.note(*packet);
      if (socket.credit() < payload.size() || !driver_.guest().can_send()) {
        driver_.wait();
        continue;
      }
      driver_.guest().send(socket.header(Op::data), payload);
      socket.sent += static_cast<uint32_t>(payload.size());
      sent += payload.size();
    }
    const double rate = static_cast<double>(kTransferBytes) / 1e6 / seconds_since(start);
    driver_.send(socket.header(Op::reset));
    return rate;
  }

  double download() {
    auto socket = driver_.open(kSourcePort);
    const auto start = Clock::now();
    uint32_t told = 0;
    for (uint64_t got = 0; got < kTransferBytes;) {
      const auto packet = driver_.next();
      socket.note(packet);
      got += packet.payload.size();
      if (socket.received - told > socket.buffer / 4 && driver_.guest().can_send()) {
        driver_.guest().send(socket.header(Op::credit_update));
        told = socket.received;
      }
    }
    const double rate = static_cast<double>(kTransferBytes) / 1e6 / seconds_since(start);
    driver_.send(socket.header(Op::reset));
    return rate;
  }

  double connections() {
    while (driver_.guest().receive()) {
    }
    const auto start = Clock::now();
    int opened = 0, done = 0;
    while (done < kConnections) {
      while (opened < kConnections && opened - done < kConnectionsUnderWay) {
        driver_.send(GuestSocket{.guest_port = driver_.fresh_port(), .host_port = kSinkPort}.header(Op::request));
        ++opened;
      }
      const auto packet = driver_.next();
      if (packet.header.op != Op::response) continue;
      driver_.send(GuestSocket{.guest_port = packet.header.destination_port, .host_port = kSinkPort}.header(Op::reset));
      ++done;
    }
    return kConnections / seconds_since(start);
  }

  std::string directory_ = [] {
    std::string made = "/tmp/bridge-bench-XXXXXX";
    return std::string(::mkdtemp(made.data()));
  }();
  Fd sink_, source_;
  Program bridge_;
  RingDriver driver_;
};

}  // namespace
}  // namespace gatehouse::bridge::bench

int main(int argc, char** argv) {
  using namespace gatehouse::bridge;
  using bench::Bench;
  const auto beside = std::filesystem::path(argv[0]).parent_path() / "../bin/gatehouse-bridge";
  const std::string binary = argc > 1 ? argv[1] : beside.string();
  Bench(binary, {}).run("buffers of 4 KiB, as Linux 6.1 gives");
  Bench(binary, {.queue_size = 128, .receive_payload = kMaxPayloadBytes}).run("buffers of 64 KiB");
}
