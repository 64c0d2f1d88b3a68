// The real gatehouse-dlp, one worker, all rules, asked over its socket by the client that gates use: what a verdict on
// a small request costs, how many a second there are, how fast large bodies go, and whether its memory stays where it
// is.
//   dlp_socket [--scans N] [path to gatehouse-dlp]     N small scans for the memory, default a million
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <thread>

#include "common/base/uuid.h"
#include "common/dlp/client.h"

extern char** environ;

namespace gatehouse::dlp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMeasuredScans = 50'000;
constexpr int kScansUnderWay = 32;
constexpr size_t kBodyBytes = 256 << 20;
constexpr size_t kBodyPieceBytes = 64 * 1024;
constexpr std::chrono::seconds kDeadline{60};
const StreamInfo kStream{"https", Direction::out, "api.example.com", "01890a5d-ac96-774b-bcce-b302099a8057"};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "dlp_socket: {}\n", why);
  std::exit(1);
}

struct Request {
  std::vector<std::pair<std::string, std::string>> parts;
  size_t bytes() const {
    size_t sum = 0;
    for (const auto& [location, value] : parts) sum += value.size();
    return sum;
  }
};

// What an agent sends to a model: 2 KB in all.
Request small_request(const std::string& extra = {}) {
  Request request;
  request.parts = {
      {"path", "/v1/chat/completions"},
      {"query:stream", "true"},
      {"query:api-version", "2024-06-01"},
      {"query", "true2024-06-01"},
      {"header:host", "api.example.com"},
      {"header:user-agent", "agent/1.4.2 (linux; x86_64) python/3.11.2 httpx/0.27.0"},
      {"header:accept", "application/json, text/event-stream"},
      {"header:accept-encoding", "gzip, deflate, br"},
      {"header:accept-language", "en-US,en;q=0.9,de;q=0.8"},
      {"header:content-type", "application/json"},
      {"header:traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
      {"header:x-request-id", "01890a5d-ac96-774b-bcce-b302099a8057"},
      {"header:x-client-version", "1.4.2"},
      {"cookie:theme", "dark"},
  };
  std::string body = R"({"model":"large-4","temperature":0.2,"messages":[{"role":"user","content":")" + extra;
  const std::string words = "Please look at the failing test in src/parser.rs and tell me why line 42 does not hold. ";
  while (body.size() + request.bytes() < 2040) body += words.substr(0, 2040 - body.size() - request.bytes());
  request.parts.emplace_back("body", body + R"("}]})");
  return request;
}

class Scanner {
 public:
  explicit Scanner(const std::string& binary) : directory_(std::filesystem::temp_directory_path() / make_uuid()) {
    std::filesystem::create_directory(directory_);
    std::ofstream(directory_ / "policy.json")
        << R"({"version":1,"http":[{"id":"all","action":"allow","hosts":["*.example.com"]}]})";
    std::vector<std::string> words = {binary,
                                      "--policy",
                                      directory_ / "policy.json",
                                      "--session",
                                      "bench",
                                      "--workers",
                                      "1",
                                      "--cache",
                                      directory_ / "cache",
                                      "--listen",
                                      "unix:" + (directory_ / "dlp.sock").string()};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, binary.c_str(), nullptr, nullptr, argv.data(), environ) != 0) {
      give_up("cannot run " + binary);
    }
    const auto start = Clock::now();
    while (!std::filesystem::exists(directory_ / "dlp.sock")) {
      if (seconds_since(start) > 20) give_up(binary + " does not listen");
      std::this_thread::yield();
    }
  }
  ~Scanner() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }

  Endpoint endpoint() const { return {Endpoint::Kind::unix_stream, {}, 0, directory_ / "dlp.sock"}; }
  double resident_mib() const {
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    for (std::string word; status >> word;) {
      double value = 0;
      if (word == "VmRSS:" && status >> value) return value / 1024;
    }
    return 0;
  }

 private:
  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

class Bench {
 public:
  explicit Bench(const std::string& binary)
      : scanner_(binary), client_(ScanClient::create(loop_, scanner_.endpoint(), kDeadline)) {}

  void latency() {
    const Request request = small_request();
    std::vector<double> took;
    for (int i = 0; i < kMeasuredScans; ++i) {
      const auto start = Clock::now();
      ask(request, ScanVerdict::Outcome::allow);
      wait_for(1);
      took.push_back(seconds_since(start) * 1e6);
    }
    took.erase(took.begin(), took.begin() + kMeasuredScans / 10);
    std::sort(took.begin(), took.end());
    fmt::print("verdict on a request of {} bytes in {} parts, one at a time: median {:.1f} us, p99 {:.1f} us\n",
               request.bytes(), request.parts.size(), took[took.size() / 2], took[took.size() * 99 / 100]);
  }

  void throughput() {
    const Request request = small_request();
    const auto start = Clock::now();
    for (int i = 0; i < kMeasuredScans; i += kScansUnderWay) {
      for (int j = 0; j < kScansUnderWay; ++j) ask(request, ScanVerdict::Outcome::allow);
      wait_for(kScansUnderWay);
    }
    fmt::print("the same, {} at a time: {:.0f} /s\n", kScansUnderWay, kMeasuredScans / seconds_since(start));
  }

  void body(std::string_view kind, const std::string& piece) {
    const auto start = Clock::now();
    auto scan = client_->open(kStream);
    scan->part({"body", "", ""});
    scan->on_drained([this] { loop_.stop(); });
    for (size_t sent = 0; sent < kBodyBytes; sent += piece.size()) {
      if (scan->queued() > kMaxScanQueuedBytes) loop_.run();
      scan->write(piece);
    }
    scan->on_drained({});
    scan->finish([&](const Result<ScanVerdict>& said) {
      if (!said) give_up(said.error().message());
      loop_.stop();
    });
    loop_.run();
    fmt::print("a body of {} MB, {}: {:.2f} GB/s\n", kBodyBytes >> 20, kind, kBodyBytes / seconds_since(start) / 1e9);
  }

  // Every kind of small scan, again and again.
  void soak(uint64_t scans) {
    const Request kinds[] = {small_request(), small_request("my token is ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA "),
                             small_request("cGxlYXNlIGxvb2sgYXQgdGhlIGZhaWxpbmcgdGVzdCBpbiBzcmMvcGFyc2VyLnJz "),
                             small_request("%7B%22a%22%3A%22b%20c%22%7D \\u0061\\u0062 &lt;tag&gt; ")};
    const auto start = Clock::now();
    double least = 0;
    for (uint64_t done = 0; done < scans;) {
      for (int i = 0; i < kScansUnderWay; ++i) ask(kinds[(done + static_cast<uint64_t>(i)) % std::size(kinds)], {});
      if (done % 4096 == 0) abandon(kinds[0]);
      wait_for(kScansUnderWay);
      const uint64_t before = done;
      done += kScansUnderWay;
      if (before < scans / 10 && done >= scans / 10) least = scanner_.resident_mib();
    }
    fmt::print(
        "{} small scans of four kinds: {:.0f} /s; resident after a tenth of them {:.1f} MiB, at the end {:.1f} MiB\n",
        scans, static_cast<double>(scans) / seconds_since(start), least, scanner_.resident_mib());
  }

  double resident_mib() const { return scanner_.resident_mib(); }

 private:
  void ask(const Request& request, std::optional<ScanVerdict::Outcome> expected) {
    auto& scan = scans_.emplace_back(client_->open(kStream));
    for (const auto& [location, value] : request.parts) {
      scan->part({location, location == "body" ? "application/json" : "", ""});
      scan->write(value);
    }
    scan->finish([this, expected](const Result<ScanVerdict>& said) {
      if (!said) give_up(said.error().message());
      if (expected && said->outcome != *expected) give_up("not the expected verdict");
      if (++answered_ == awaited_) loop_.stop();
    });
  }

  void abandon(const Request& request) {
    auto scan = client_->open(kStream);
    scan->part({"body", "", ""});
    scan->write(request.parts.back().second);
    scan->check([](auto&&) {});
  }

  void wait_for(int answers) {
    awaited_ = answers;
    if (answered_ < answers) loop_.run();
    answered_ = awaited_ = 0;
    scans_.clear();
  }

  Scanner scanner_;
  Loop loop_;
  std::unique_ptr<ScanClient> client_;
  std::vector<std::unique_ptr<Scan>> scans_;
  int answered_ = 0;
  int awaited_ = 0;
};

std::string opaque_piece() {
  std::mt19937_64 random(1);
  std::string piece(kBodyPieceBytes, '\0');
  for (char& c : piece) c = static_cast<char>(random());
  return piece;
}

std::string text_piece() {
  std::string piece;
  for (int line = 1; piece.size() < kBodyPieceBytes; ++line) {
    piece += fmt::format("  const auto value_{} = parse(input.substr(begin, {}));  // see issue {}\n", line, line % 80,
                         line * 7);
  }
  piece.resize(kBodyPieceBytes);
  return piece;
}

}  // namespace
}  // namespace gatehouse::dlp

int main(int argc, char** argv) {
  using namespace gatehouse::dlp;
  uint64_t scans = 1'000'000;
  std::string binary = std::filesystem::path(argv[0]).parent_path() / "../bin/gatehouse-dlp";
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--scans" && i + 1 < argc) {
      scans = std::strtoull(argv[++i], nullptr, 10);
    } else {
      binary = argv[i];
    }
  }
  Bench bench(binary);
  bench.latency();
  fmt::print("resident with all rules, after {} scans: {:.1f} MiB\n", kMeasuredScans, bench.resident_mib());
  bench.throughput();
  bench.body("text", text_piece());
  bench.body("opaque", opaque_piece());
  if (scans > 0) bench.soak(scans);
  return 0;
}
