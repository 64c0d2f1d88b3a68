#include "launcher/control_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/net/endpoint.h"
#include "launcher/paths.h"

namespace gatehouse::launcher {

Result<std::string> running_session(const std::string& name) {
  if (name.empty()) return latest_session();
  if (auto ok = check_session_name(name); !ok) return failed(ok);
  return name;
}

Result<ipc::Frame> ask_session(const std::string& session, const char* which, std::string_view frames) {
  const auto directory = session_runtime_directory(session);
  if (!directory) return failed(directory);
  Endpoint endpoint;
  endpoint.path = fmt::format("{}/{}", *directory, which);
  const SocketAddress address = socket_address(endpoint);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("cannot make a socket");
  if (::connect(socket.get(), address.get(), address.length) != 0) {
    ::rmdir(directory->c_str());  // made just now by looking for it, if it is empty
    return fail("session '{}' does not run", session);
  }
  if (auto ok = write_all(socket.get(), frames); !ok) return failed(ok, "session '" + session + "'");
  ipc::FrameReader reader;
  for (;;) {
    char bytes[4096];
    const ssize_t got = ::read(socket.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("session '{}' closed the connection", session);
    reader.feed({bytes, static_cast<size_t>(got)});
    auto frame = reader.next();
    if (!frame) return failed(frame, "session '" + session + "'");
    if (*frame) return std::move(**frame);
  }
}

}  // namespace gatehouse::launcher
