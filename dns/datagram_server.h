// Queries over UDP, in batches: one system call reads many and one sends many.
#pragma once

#include <memory>

#include "common/net/endpoint.h"
#include "common/net/loop.h"
#include "dns/recorder.h"
#include "dns/resolver.h"

namespace gatehouse::dns {

class DatagramServer {
 public:
  // `socket` is bound. The others outlive the server.
  static Result<std::unique_ptr<DatagramServer>> start(Loop& loop, Fd socket, Resolver& resolver, Recorder& recorder);
  ~DatagramServer();

  // To be called when the recorder has room again: reads on if it was too full to.
  void resume();

 private:
  struct Batch;
  struct Peer;
  DatagramServer(Loop& loop, Fd socket, Resolver& resolver, Recorder& recorder);
  void readable();
  bool serve_batch();
  void send_later(const Peer& peer, std::string_view reply);

  Fd socket_;
  Resolver& resolver_;
  Recorder& recorder_;
  std::unique_ptr<Batch> batch_;
  FdWatch watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::dns
