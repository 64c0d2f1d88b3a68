#include "common/git/gate_client.h"

#include "common/ipc/frame.h"
#include "common/net/stream.h"

namespace gatehouse::git {

namespace {

class SocketJudging final : public Judging {
 public:
  SocketJudging(Loop& loop, const Endpoint& gate, std::chrono::milliseconds limit, const PushQuestion& question,
                GateClient::Callbacks callbacks)
      : callbacks_(std::move(callbacks)),
        limit_(limit),
        deadline_(loop, [this] { answer(fail("it does not answer in time")); }),
        frames_(kMaxGateFrameBytes) {
    waiting_ = encode(question);
    deadline_.start(limit_);
    connecting_ = connect_stream(loop, gate, [this](auto stream) { connected(std::move(stream)); });
  }

  void write(std::string_view bytes) override { send_pieces(GateFrame::data, bytes); }
  void finish() override {
    finished_ = true;
    send(ipc::encode_frame(static_cast<uint8_t>(GateFrame::end), ""));
  }
  void came(std::string_view bytes) override { send_pieces(GateFrame::came, bytes); }
  void came_end(std::string_view why_not) override {
    reading_ = false;
    send(ipc::encode_frame(static_cast<uint8_t>(GateFrame::came_end), why_not.substr(0, kGateDataBytes)));
  }
  size_t queued() const override { return stream_ ? stream_->queued() : waiting_.size(); }

 private:
  void send_pieces(GateFrame type, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.substr(0, kGateDataBytes);
      send(ipc::encode_frame(static_cast<uint8_t>(type), piece));
      bytes.remove_prefix(piece.size());
    }
  }

  void send(std::string_view frame) {
    if (answered_) return;
    deadline_.start(limit_);
    if (stream_) {
      stream_->write(frame);
    } else {
      waiting_ += frame;
    }
  }

  void connected(Result<std::unique_ptr<Stream>> stream) {
    const auto attempt = std::move(connecting_);
    if (!stream) return answer(failed(stream));
    stream_ = std::move(*stream);
    // A gate that has its verdict closes, perhaps with something of ours unread: its words are read first.
    stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                            .end = [this] { answer(fail("it closed the connection")); },
                            .error = [this](const Error& error) { answer(tl::unexpected(error)); },
                            .drained = [this] { drained(); }});
    stream_->start_reading();
    stream_->write(std::exchange(waiting_, {}));
    if (stream_->queued() == 0) drained();
  }

  void drained() {
    deadline_.start(limit_);
    if (callbacks_.drained && !answered_) callbacks_.drained();
  }

  void received(std::string_view bytes) {
    frames_.feed(bytes);
    while (!answered_) {
      const auto frame = frames_.next_view();
      if (!frame) return answer(failed(frame));
      if (!*frame) return;
      if ((*frame)->type == static_cast<uint8_t>(GateFrame::read)) {
        if (!finished_ || reading_ || !callbacks_.read) return answer(fail("it reads what it may not read"));
        reading_ = true;
        deadline_.start(limit_);
        callbacks_.read(std::string((*frame)->payload));
        continue;
      }
      auto verdict = verdict_.take((*frame)->type, (*frame)->payload);
      if (!verdict) return answer(failed(verdict));
      if (*verdict) return answer(std::move(**verdict));
    }
  }

  // The last act: the callback may destroy this object.
  void answer(Result<PushVerdict> verdict) {
    if (answered_) return;
    answered_ = true;
    deadline_.stop();
    if (stream_) stream_->stop_reading();
    const auto call = std::move(callbacks_.verdict);
    call(verdict ? std::move(verdict) : failed(verdict, "the git gate"));
  }

  GateClient::Callbacks callbacks_;
  std::chrono::milliseconds limit_;
  Timer deadline_;
  ipc::FrameReader frames_;
  VerdictReader verdict_;
  std::string waiting_;  // to be sent once connected
  bool answered_ = false;
  bool finished_ = false;
  bool reading_ = false;  // it waits for what comes of a read
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Connecting> connecting_;
};

class SocketGateClient final : public GateClient {
 public:
  SocketGateClient(Loop& loop, Endpoint gate, std::chrono::milliseconds deadline)
      : loop_(loop), gate_(std::move(gate)), deadline_(deadline) {}
  std::unique_ptr<Judging> open(const PushQuestion& question, Callbacks callbacks) override {
    return std::make_unique<SocketJudging>(loop_, gate_, deadline_, question, std::move(callbacks));
  }

 private:
  Loop& loop_;
  const Endpoint gate_;
  const std::chrono::milliseconds deadline_;
};

}  // namespace

std::unique_ptr<GateClient> GateClient::create(Loop& loop, Endpoint gate, std::chrono::milliseconds deadline) {
  return std::make_unique<SocketGateClient>(loop, std::move(gate), deadline);
}

}  // namespace gatehouse::git
