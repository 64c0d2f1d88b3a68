// Asks a DNS server over UDP as fast as it answers, with so many questions in flight, and says how fast that was.
// Static and without a library, so that it can be put into a guest:  dns_load SECONDS IN_FLIGHT NAMES   (to
// 127.0.0.1:53) NAMES different names are asked again and again: nN.bench.example.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/dns_question.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  int socket;
  long names;
  long asked = 0;
  std::vector<Clock::time_point> sent;
  std::vector<double> milliseconds;
  long addresses = 0;

  void ask(unsigned id) {
    const auto message = dns_question(static_cast<uint16_t>(id), static_cast<uint64_t>(asked++ % names));
    sent[id] = Clock::now();
    (void)::send(socket, message.data(), message.size(), 0);
  }

  void hear() {
    char reply[1500];
    for (ssize_t got; (got = ::recv(socket, reply, sizeof reply, MSG_DONTWAIT)) >= 12;) {
      const unsigned id = static_cast<unsigned char>(reply[0]) << 8 | static_cast<unsigned char>(reply[1]);
      if (id >= sent.size()) continue;
      milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - sent[id]).count());
      addresses += reply[7] == 1 ? 1 : 0;
      ask(id);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: dns_load SECONDS IN_FLIGHT NAMES\n"), 2;
  const auto seconds = std::chrono::seconds(std::atol(argv[1]));
  Load load{::socket(AF_INET, SOCK_DGRAM, 0), std::max(1L, std::atol(argv[3])), 0, {}, {}, 0};
  load.sent.resize(static_cast<size_t>(std::clamp(std::atol(argv[2]), 1L, 65535L)));
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(53);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(load.socket, reinterpret_cast<sockaddr*>(&server), sizeof server) != 0)
    return std::perror("connect"), 1;

  const auto began = Clock::now();
  long lost = 0;
  for (unsigned id = 0; id < load.sent.size(); ++id) load.ask(id);
  while (Clock::now() - began < seconds) {
    pollfd waiting{load.socket, POLLIN, 0};
    if (::poll(&waiting, 1, 1000) == 1) {
      load.hear();
      continue;
    }
    for (unsigned id = 0; id < load.sent.size(); ++id, ++lost) load.ask(id);  // all in flight are lost
  }
  const double took = std::chrono::duration<double>(Clock::now() - began).count();
  auto& all = load.milliseconds;
  if (all.empty()) return std::fprintf(stderr, "no answer\n"), 1;
  std::sort(all.begin(), all.end());
  std::printf("%ld in flight, %ld names: %.0f queries/s, p50 %.3f ms, p99 %.3f ms, %ld lost, %.1f %% with an address\n",
              static_cast<long>(load.sent.size()), load.names, static_cast<double>(all.size()) / took,
              all[all.size() / 2], all[all.size() * 99 / 100], lost,
              100.0 * static_cast<double>(load.addresses) / static_cast<double>(all.size()));
  return 0;
}
