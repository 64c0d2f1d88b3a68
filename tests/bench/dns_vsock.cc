// Look-ups over vsock without a guest's processor: a driver on real rings asks the real gatehouse-dns through the real
// gatehouse-bridge, audit on. What is measured is ours alone; in a guest that QEMU emulates (python3 -m
// tests.bench.dns_guest) the emulation of its kernel comes on top.   dns_vsock [SECONDS]
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/bench/dns_question.h"
#include "tests/bench/ring_driver.h"

namespace gatehouse::bridge::bench {
namespace {

constexpr uint32_t kDnsPort = 53;
constexpr size_t kLengthBytes = 2;  // before each message (RFC 7766)
constexpr size_t kIdBytes = 2;
constexpr size_t kAnswersAt = 7;

std::string framed(const std::string& message) {
  return std::string{static_cast<char>(message.size() >> 8), static_cast<char>(message.size() & 0xff)} + message;
}

class Load {
 public:
  Load(RingDriver& driver, test::GuestSocket& socket, size_t in_flight, uint64_t first, uint64_t names)
      : driver_(driver), socket_(socket), sent_(in_flight), first_(first), names_(names) {}

  void run(double seconds) {
    const auto began = Clock::now();
    for (size_t id = 0; id < sent_.size(); ++id) ask(static_cast<uint16_t>(id));
    while (under_way_ > 0) {
      const auto packet = driver_.next();
      socket_.note(packet);
      heard_ += packet.payload;
      hear(seconds_since(began) < seconds);
    }
    const double took = seconds_since(began);
    std::sort(all_.begin(), all_.end());
    fmt::print(
        "{:>3} in flight, {:>7} names: {:>7.0f} questions/s, p50 {:.3f} ms, p99 {:.3f} ms, {:.1f} % with an address\n",
        sent_.size(), names_, static_cast<double>(all_.size()) / took, all_[all_.size() / 2],
        all_[all_.size() * 99 / 100], 100.0 * static_cast<double>(addresses_) / static_cast<double>(all_.size()));
  }

 private:
  void ask(uint16_t id) {
    const auto bytes = framed(dns_question(id, first_ + asked_++ % names_));
    sent_[id] = Clock::now();
    driver_.send(socket_.header(Op::data), bytes);
    socket_.sent += static_cast<uint32_t>(bytes.size());
    ++under_way_;
  }

  void hear(bool more) {
    const auto octet = [this](size_t at) { return static_cast<uint8_t>(heard_[at]); };
    while (heard_.size() >= kLengthBytes) {
      const size_t size = kLengthBytes + (octet(0) << 8 | octet(1));
      if (heard_.size() < size) return;
      const auto id = static_cast<uint16_t>(octet(kLengthBytes) << 8 | octet(kLengthBytes + kIdBytes - 1));
      all_.push_back(seconds_since(sent_.at(id)) * 1000);
      addresses_ += octet(kLengthBytes + kAnswersAt) == 1 ? 1 : 0;
      heard_.erase(0, size);
      --under_way_;
      if (more) ask(id);
    }
  }

  RingDriver& driver_;
  test::GuestSocket& socket_;
  std::vector<Clock::time_point> sent_;
  uint64_t first_, names_;
  uint64_t asked_ = 0;
  size_t under_way_ = 0;
  uint64_t addresses_ = 0;
  std::string heard_;
  std::vector<double> all_;
};

void run(const std::filesystem::path& programs, double seconds) {
  std::string made = "/tmp/dns-vsock-XXXXXX";
  const std::string directory = ::mkdtemp(made.data());
  std::ofstream(directory + "/policy.json") << R"({"version": 1, "name": "bench",
      "http": [{"id": "all", "action": "allow", "hosts": ["**.bench.example"]}]})";
  {
    const Program dns({programs / "gatehouse-dns", "--policy", directory + "/policy.json", "--audit",
                       directory + "/audit.db", "--session", "bench", "--listen", "unix:" + directory + "/dns"});
    while (!std::filesystem::exists(directory + "/dns")) std::this_thread::yield();
    const Program bridge({programs / "gatehouse-bridge", "--listen", "unix:" + directory + "/vhost", "--guest-port",
                          fmt::format("{}=unix:{}/dns", kDnsPort, directory)});
    RingDriver driver({}, directory + "/vhost");
    auto socket = driver.open(kDnsPort);
    Load(driver, socket, 1, 0, 100).run(seconds);
    Load(driver, socket, 64, 0, 2000).run(seconds);
    Load(driver, socket, 1, 2000, 1'000'000).run(1);  // a row for each
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace gatehouse::bridge::bench

int main(int argc, char** argv) {
  const auto programs = std::filesystem::path(argv[0]).parent_path() / "../bin";
  gatehouse::bridge::bench::run(programs, argc > 1 ? std::atof(argv[1]) : 5);
}
