// The control socket to QEMU: whole messages in, replies out.
#pragma once

#include <functional>

#include "common/base/fd.h"
#include "common/net/loop.h"
#include "launcher/bridge/vhost_user.h"

namespace gatehouse::bridge {

class ControlConnection {
 public:
  // The reply to a message; an error ends the connection.
  using OnMessage = std::function<Result<std::string>(VhostMessage)>;
  using OnClosed = std::function<void(const std::string& why)>;

  // `on_closed` is called once, as the last act; it destroys the connection.
  ControlConnection(Loop& loop, Fd socket, OnMessage on_message, OnClosed on_closed);

  // True when QEMU has closed its end, noticed or not.
  bool hung_up() const;

 private:
  void read_messages();
  Result<bool> read_some();
  Result<void> reply(std::string_view bytes);

  Fd socket_;
  OnMessage on_message_;
  OnClosed on_closed_;
  VhostReader reader_;
  FdWatch watch_;
};

}  // namespace gatehouse::bridge
