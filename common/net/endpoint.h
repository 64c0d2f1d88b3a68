// Addresses one listens on or connects to, and the sockets a supervisor passes down.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/base/ip_address.h"
#include "common/base/result.h"

namespace gatehouse {

struct Endpoint {
  enum class Kind { tcp, udp, unix_stream };
  Kind kind = Kind::unix_stream;
  IpAddress address;  // tcp, udp
  uint16_t port = 0;  // tcp, udp; 0 lets the kernel choose
  std::string path;   // unix_stream

  std::string to_string() const;  // the form parse() reads
};

// Reads "tcp:127.0.0.1:3128", "tcp:[::1]:3128", "udp:127.0.0.1:53" or "unix:/run/x.sock". Addresses are numeric.
Result<Endpoint> parse_endpoint(std::string_view text);

// The value of an option that takes "unix:PATH" and nothing else; nothing when it is empty. Errors name the option.
Result<std::optional<Endpoint>> unix_endpoint(std::string_view option, const std::string& where);

// "tcp:127.0.0.1:3128"-style text of a socket's own address (getsockname), or "unix".
std::string local_address(int fd);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress socket_address(const IpAddress& address, uint16_t port);
// A path too long for a sockaddr_un gives length 0, which bind(2) and connect(2) refuse.
SocketAddress socket_address(const Endpoint& endpoint);

// A bound, non-blocking, close-on-exec socket; stream sockets also listen. A stale Unix socket file is replaced.
Result<Fd> open_socket(const Endpoint& endpoint);

struct InheritedSocket {
  Fd fd;
  std::string name;  // from LISTEN_FDNAMES, or ""
  bool datagram = false;
};

// The sockets passed with the systemd protocol (sd_listen_fds(3)): LISTEN_PID must be this process, descriptors start
// at 3. Clears the variables, sets close-on-exec and non-blocking. None passed is an empty list.
Result<std::vector<InheritedSocket>> take_inherited_sockets();

// Both together: what was passed, then what --listen names. Nothing at all is an error.
Result<std::vector<InheritedSocket>> gather_listening_sockets(const std::vector<std::string>& listen);

}  // namespace gatehouse
