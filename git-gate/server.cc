#include "git-gate/server.h"

#include "common/base/log.h"
#include "common/ipc/frame.h"
#include "git-gate/decision.h"

namespace gatehouse::git_gate {

// The proxy's connection: a question, the body, and the verdict back.
class Server::Connection {
 public:
  Connection(PushTools& tools, std::unique_ptr<Stream> stream, bool busy, std::function<void()> closed)
      : tools_(tools),
        stream_(std::move(stream)),
        busy_(busy),
        closed_(std::move(closed)),
        frames_(git::kMaxGateFrameBytes) {
    stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                            .end = [this] { close(""); },
                            .error = [this](const Error& error) { close(error.message()); },
                            .drained =
                                [this] {
                                  if (answered_) stream_->shutdown();
                                }});
    stream_->start_reading();
  }

 private:
  void received(std::string_view bytes) {
    if (answered_) return;
    frames_.feed(bytes);
    for (;;) {
      const auto frame = frames_.next_view();
      if (!frame) return close(frame.error().message());
      if (!*frame) break;
      if (auto ok = take(**frame); !ok) return close(ok.error().message());
    }
    if (push_ && push_->full()) stream_->stop_reading();
  }

  Result<void> take(const ipc::FrameView& frame) {
    switch (static_cast<git::GateFrame>(frame.type)) {
      case git::GateFrame::question:
        return question(frame.payload);
      case git::GateFrame::data:
        if (!push_ || ended_) return fail("data at the wrong time");
        push_->take(frame.payload);
        return {};
      case git::GateFrame::end:
        if (!push_ || ended_) return fail("an end at the wrong time");
        ended_ = true;
        push_->finish();
        return {};
      case git::GateFrame::came:
        if (!push_ || !push_->reads()) return fail("an answer to no question");
        push_->came(frame.payload);
        return {};
      case git::GateFrame::came_end:
        if (!push_ || !push_->reads()) return fail("an answer to no question");
        push_->came_end(frame.payload);
        return {};
      default:
        return fail("a frame of an unknown type");
    }
  }

  Result<void> question(std::string_view payload) {
    if (push_ || answered_) return fail("a second question");
    auto asked = git::decode_question(payload);
    if (!asked) return failed(asked);
    if (busy_) {
      answer(refusal({}, "git.busy", "too many pushes at once; try again in a while", nullptr));
      return {};
    }
    push_ = std::make_unique<Push>(tools_, std::move(*asked),
                                   Push::Callbacks{[this] {
                                                     if (!answered_) stream_->start_reading();
                                                   },
                                                   [this](const git::PushVerdict& verdict) { answer(verdict); },
                                                   [this](std::string_view request) { ask(request); }});
    return {};
  }

  void ask(std::string_view request) {
    stream_->write(ipc::encode_frame(static_cast<uint8_t>(git::GateFrame::read), request));
  }

  void answer(const git::PushVerdict& verdict) {
    answered_ = true;
    stream_->start_reading();  // until the proxy closes; what it says is dropped
    stream_->write(git::encode(verdict));
    if (stream_->queued() == 0) stream_->shutdown();
  }

  void close(const std::string& why) {
    if (!why.empty()) log::warn("a connection is closed: {}", log::printable(why));
    stream_->stop_reading();
    if (closed_) tools_.loop.post([closed = std::exchange(closed_, nullptr)] { closed(); });
  }

  PushTools& tools_;
  std::unique_ptr<Stream> stream_;
  const bool busy_;
  std::function<void()> closed_;
  ipc::FrameReader frames_;
  std::unique_ptr<Push> push_;
  bool ended_ = false;
  bool answered_ = false;
};

Server::Server(PushTools tools) : tools_(std::move(tools)) {}

Server::~Server() = default;

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const std::string name = local_address(socket.fd.get());
    if (socket.datagram || name != "unix")
      return fail("the git gate listens on Unix stream sockets only, not on {}", name);
    auto listener = Listener::start(tools_.loop, std::move(socket.fd),
                                    [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); });
    if (!listener) return failed(listener);
    listeners_.push_back(std::move(*listener));
    log::info("listening on {}", name);
  }
  return {};
}

void Server::accept(std::unique_ptr<Stream> stream) {
  const bool busy = connections_.size() >= kMaxPushes;
  const auto place = connections_.emplace(connections_.end());
  *place = std::make_unique<Connection>(tools_, std::move(stream), busy, [this, place] { connections_.erase(place); });
}

}  // namespace gatehouse::git_gate
