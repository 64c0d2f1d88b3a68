// Host-initiated connections: a client of our Unix socket writes "CONNECT <port>\n" and, once the guest has accepted,
// reads "OK <host port>\n"; a refusal closes the socket. Everything after those lines is the connection's own.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/net/loop.h"
#include "launcher/bridge/server_accept.h"

namespace gatehouse::bridge {

inline constexpr size_t kMaxConnectLineBytes = 32;  // "CONNECT 4294967295\n" has 19
inline constexpr size_t kMaxConnectsReading = 256;  // clients that have not finished their line
inline constexpr std::chrono::seconds kConnectLineTimeout{5};

// The port of a whole line, newline included; nothing but the exact form will do.
Result<uint32_t> parse_connect_line(std::string_view line);

class HostDoor {
 public:
  // `on_connect` takes each client whose line was read.
  using OnConnect = std::function<void(uint32_t guest_port, Fd socket)>;
  HostDoor(Loop& loop, Fd listening, OnConnect on_connect);
  ~HostDoor();

 private:
  struct Client;
  void accept(Fd socket);
  void read_line(std::list<Client>::iterator client);

  Loop& loop_;
  OnConnect on_connect_;
  std::list<Client> clients_;
  Acceptor acceptor_;
};

}  // namespace gatehouse::bridge
