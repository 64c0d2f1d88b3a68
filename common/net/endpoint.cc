#include "common/net/endpoint.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace gatehouse {

namespace {

constexpr int kBacklog = 1024;
constexpr int kFirstInheritedFd = 3;
constexpr int kMostInheritedFds = 64;

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return fail("'{}' is not a port (0 to 65535)", text);
  }
  return port;
}

Result<int> parse_environment_number(const char* name, int most) {
  const char* text = std::getenv(name);
  if (text == nullptr) return fail("{} is not set", name);
  int number = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stop != end || number < 0 || number > most)
    return fail("{}='{}' is no number", name, text);
  return number;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Result<void> remove_stale_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return fail("{} exists and is not a socket", path);
  if (::unlink(path.c_str()) != 0) return fail_errno("cannot replace {}", path);
  return {};
}

}  // namespace

std::string Endpoint::to_string() const {
  if (kind == Kind::unix_stream) return "unix:" + path;
  const auto host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return fmt::format("{}:{}:{}", kind == Kind::tcp ? "tcp" : "udp", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  const size_t colon = text.find(':');
  const auto kind = text.substr(0, colon);
  auto rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (kind == "unix") {
    if (rest.empty() || rest.size() >= sizeof(sockaddr_un::sun_path)) return fail("'{}': bad socket path", text);
    endpoint.path = rest;
    return endpoint;
  }
  if (kind != "tcp" && kind != "udp") {
    return fail("'{}': expected tcp:ADDR:PORT, udp:ADDR:PORT or unix:PATH", text);
  }
  endpoint.kind = kind == "tcp" ? Endpoint::Kind::tcp : Endpoint::Kind::udp;
  const size_t last = rest.rfind(':');
  if (last == std::string_view::npos) return fail("'{}': no port", text);
  auto host = rest.substr(0, last);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address) return failed(address, text);
  const auto port = parse_port(rest.substr(last + 1));
  if (!port) return failed(port, text);
  endpoint.address = *address;
  endpoint.port = *port;
  return endpoint;
}

Result<std::optional<Endpoint>> unix_endpoint(std::string_view option, const std::string& where) {
  if (where.empty()) return std::nullopt;
  const auto endpoint = parse_endpoint(where);
  if (!endpoint) return failed(endpoint, option);
  if (endpoint->kind != Endpoint::Kind::unix_stream) return fail("{} {}: expected unix:PATH", option, where);
  return *endpoint;
}

SocketAddress socket_address(const IpAddress& address, uint16_t port) {
  SocketAddress result;
  if (address.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, address.octets().data(), 4);
    result.length = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&result.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    std::memcpy(&in->sin6_addr, address.octets().data(), 16);
    result.length = sizeof *in;
  }
  return result;
}

SocketAddress socket_address(const Endpoint& endpoint) {
  if (endpoint.kind != Endpoint::Kind::unix_stream) return socket_address(endpoint.address, endpoint.port);
  SocketAddress result;
  auto* un = reinterpret_cast<sockaddr_un*>(&result.storage);
  un->sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof un->sun_path) return result;
  std::memcpy(un->sun_path, endpoint.path.data(), endpoint.path.size());
  result.length = sizeof *un;
  return result;
}

std::string local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "unknown";
  Endpoint endpoint;
  int type = 0;
  socklen_t type_length = sizeof type;
  ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length);
  endpoint.kind = type == SOCK_DGRAM ? Endpoint::Kind::udp : Endpoint::Kind::tcp;
  if (storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
    std::array<uint8_t, 4> octets;
    std::memcpy(octets.data(), &in->sin_addr, 4);
    endpoint.address = IpAddress::v4(octets);
    endpoint.port = ntohs(in->sin_port);
    return endpoint.to_string();
  }
  if (storage.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
    std::array<uint8_t, 16> octets;
    std::memcpy(octets.data(), &in->sin6_addr, 16);
    endpoint.address = IpAddress::v6(octets);
    endpoint.port = ntohs(in->sin6_port);
    return endpoint.to_string();
  }
  return "unix";
}

Result<Fd> open_socket(const Endpoint& endpoint) {
  const bool stream = endpoint.kind != Endpoint::Kind::udp;
  const int type = (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (endpoint.kind == Endpoint::Kind::unix_stream) {
    if (auto ok = remove_stale_socket(endpoint.path); !ok) return failed(ok);
  }
  const auto address = socket_address(endpoint);
  Fd fd(::socket(address.storage.ss_family, type, 0));
  const int on = 1;
  if (stream && fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!fd || ::bind(fd.get(), address.get(), address.length) != 0) {
    return fail_errno("cannot listen on {}", endpoint.to_string());
  }
  if (stream && ::listen(fd.get(), kBacklog) != 0) return fail_errno("cannot listen on {}", endpoint.to_string());
  return fd;
}

Result<std::vector<InheritedSocket>> take_inherited_sockets() {
  std::vector<InheritedSocket> sockets;
  if (std::getenv("LISTEN_FDS") == nullptr) return sockets;
  const auto count = parse_environment_number("LISTEN_FDS", kMostInheritedFds);
  if (!count) return failed(count);
  const auto pid = parse_environment_number("LISTEN_PID", 1 << 30);
  if (!pid) return failed(pid);
  std::vector<std::string> names;
  if (const char* text = std::getenv("LISTEN_FDNAMES")) names = split(text, ':');
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (*pid != ::getpid()) return sockets;  // meant for a parent: sd_listen_fds(3) says to ignore it

  for (int i = 0; i < *count; ++i) {
    InheritedSocket socket{Fd(kFirstInheritedFd + i), i < static_cast<int>(names.size()) ? names[i] : "", false};
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(socket.fd.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
      return fail_errno("inherited descriptor {}", kFirstInheritedFd + i);
    }
    ::fcntl(socket.fd.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(socket.fd.get(), F_SETFL, ::fcntl(socket.fd.get(), F_GETFL) | O_NONBLOCK);
    socket.datagram = type == SOCK_DGRAM;
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

Result<std::vector<InheritedSocket>> gather_listening_sockets(const std::vector<std::string>& listen) {
  auto sockets = take_inherited_sockets();
  if (!sockets) return failed(sockets);
  for (const auto& text : listen) {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return failed(endpoint, "--listen");
    auto fd = open_socket(*endpoint);
    if (!fd) return failed(fd);
    sockets->push_back({std::move(*fd), "", endpoint->kind == Endpoint::Kind::udp});
  }
  if (sockets->empty()) return fail("nothing to listen on: pass sockets with LISTEN_FDS or name one with --listen");
  return sockets;
}

}  // namespace gatehouse
