// Asks a DNS server over UDP as fast as it answers, with so many questions in flight, and says how fast that was.
// Static and without a library, so that it can be put into a guest:  dns_load SECONDS IN_FLIGHT NAMES [PORT]   (of
// 127.0.0.1, 53 unless told) NAMES different names are asked again and again: nN.bench.example.
// dns_load echo PORT gives each datagram back: what asking costs on that machine when nobody answers.
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
#include <string_view>
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

sockaddr_in loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int echo(const char* port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const auto at = loopback(port);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return std::perror("bind"), 1;
  for (;;) {
    char datagram[1500];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(socket, datagram, sizeof datagram, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got > 0)
      (void)::sendto(socket, datagram, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "echo") return echo(argv[2]);
  if (argc != 4 && argc != 5)
    return std::fprintf(stderr, "usage: dns_load SECONDS IN_FLIGHT NAMES [PORT] | echo PORT\n"), 2;
  const auto seconds = std::chrono::seconds(std::atol(argv[1]));
  Load load{::socket(AF_INET, SOCK_DGRAM, 0), std::max(1L, std::atol(argv[3])), 0, {}, {}, 0};
  load.sent.resize(static_cast<size_t>(std::clamp(std::atol(argv[2]), 1L, 65535L)));
  const auto server = loopback(argc == 5 ? argv[4] : "53");
  if (::connect(load.socket, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
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
