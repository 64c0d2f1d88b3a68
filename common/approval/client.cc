#include "common/approval/client.h"

#include "common/ipc/frame.h"

namespace gatehouse::approval {

namespace {

class Asking;

class SocketClient final : public Client {
 public:
  SocketClient(Loop& loop, Endpoint approver) : loop_(loop), approver_(std::move(approver)) {}

  std::unique_ptr<Question> ask(Wanted wanted, OnDecided on_decided) override;
  void forget(uint64_t id, bool withdraw);
  Loop& loop() { return loop_; }

 private:
  void send(std::string_view frames);
  void connected(Result<std::unique_ptr<Stream>> stream);
  void received(std::string_view bytes);
  void lost(const Error& error);

  Loop& loop_;
  Endpoint approver_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Asking*> asking_;
  std::string waiting_;  // to be sent once connected
  ipc::FrameReader frames_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Connecting> connecting_;
};

class Asking final : public Question {
 public:
  Asking(SocketClient& client, uint64_t id, std::chrono::milliseconds limit, Client::OnDecided on_decided)
      : client_(client),
        id_(id),
        on_decided_(std::move(on_decided)),
        deadline_(client.loop(), [this] { deny("nobody has decided in time"); }) {
    deadline_.start(limit);
  }
  ~Asking() override {
    if (on_decided_) client_.forget(id_, true);
  }

  // The last act: the callback may destroy this object.
  void decide(Decided decided) {
    deadline_.stop();
    client_.forget(id_, false);
    const auto call = std::exchange(on_decided_, nullptr);
    call(std::move(decided));
  }
  void deny(std::string reason) { decide({id_, false, Scope::once, "", std::move(reason)}); }

 private:
  SocketClient& client_;
  uint64_t id_;
  Client::OnDecided on_decided_;
  Timer deadline_;
};

std::unique_ptr<Question> SocketClient::ask(Wanted wanted, OnDecided on_decided) {
  wanted.id = next_id_++;
  auto asking = std::make_unique<Asking>(*this, wanted.id, wanted.time + kSlack, std::move(on_decided));
  asking_.emplace(wanted.id, asking.get());
  send(encode(wanted));
  return asking;
}

void SocketClient::forget(uint64_t id, bool withdraw) {
  asking_.erase(id);
  if (withdraw) send(encode_withdrawn(id));
}

void SocketClient::send(std::string_view frames) {
  if (stream_) return stream_->write(frames);
  waiting_ += frames;
  if (connecting_) return;
  frames_ = ipc::FrameReader();
  connecting_ = connect_stream(loop_, approver_, [this](auto stream) { connected(std::move(stream)); });
}

void SocketClient::connected(Result<std::unique_ptr<Stream>> stream) {
  const auto attempt = std::move(connecting_);
  if (!stream) return lost(stream.error());
  stream_ = std::move(*stream);
  stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                          .end = [this] { lost(Error("closed the connection")); },
                          .error = [this](const Error& error) { lost(error); },
                          .drained = nullptr});
  stream_->start_reading();
  stream_->write(std::exchange(waiting_, {}));
}

void SocketClient::received(std::string_view bytes) {
  frames_.feed(bytes);
  for (;;) {
    const auto frame = frames_.next();
    if (!frame) return lost(frame.error());
    if (!*frame) return;
    if ((*frame)->type != static_cast<uint8_t>(FrameType::decided)) return lost(Error("an unexpected frame"));
    auto decided = parse_decided((*frame)->payload);
    if (!decided) return lost(decided.error());
    const auto asking = asking_.find(decided->id);
    if (asking != asking_.end()) asking->second->decide(std::move(*decided));  // else it came too late
  }
}

// Whoever still waits is told no. Each may ask anew from within, which is another connection.
void SocketClient::lost(const Error& error) {
  const auto stream = std::move(stream_);
  if (stream) stream->stop_reading();
  waiting_.clear();
  const std::string reason = fmt::format("the approver is away: {}", error.message());
  const uint64_t last = next_id_;
  while (!asking_.empty() && asking_.begin()->first < last) asking_.begin()->second->deny(reason);
}

}  // namespace

std::unique_ptr<Client> Client::create(Loop& loop, Endpoint approver) {
  return std::make_unique<SocketClient>(loop, std::move(approver));
}

}  // namespace gatehouse::approval
