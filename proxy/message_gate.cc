#include "proxy/message_gate.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {

// Whose part the proxy plays towards the side that is passed to.
bool plays_client(dlp::Direction direction) { return direction == dlp::Direction::out; }

}  // namespace

MessageGate::MessageGate(Owner& owner, ExchangeRecord& record, Setting setting)
    : owner_(owner),
      record_(record),
      setting_(std::move(setting)),
      reader_({.sender = setting_.direction == dlp::Direction::out ? Sender::client : Sender::server,
               .deflate = setting_.deflate.deflate,
               .takeover = setting_.deflate.takeover,
               .max_message = setting_.max_message}) {
  if (setting_.inspection == nullptr) return;
  scan_ = std::make_unique<MessageScan>(static_cast<MessageScan::Owner&>(*this), *setting_.inspection, setting_.stream);
}

void MessageGate::take(std::string_view bytes) {
  if (phase_ == Phase::stopped) return;
  input_ += bytes;
  proceed();
}

void MessageGate::stop() {
  phase_ = Phase::stopped;
  alive_ = std::make_shared<bool>(true);  // a late commit finds nobody
  if (scan_) scan_->drop();
  message_.reset();
  going_.reset();
  input_.clear();
}

void MessageGate::proceed() {
  if (within_ || phase_ == Phase::stopped) return;
  within_ = true;
  const std::weak_ptr alive(alive_);
  bool more = true;
  while (more) {
    switch (phase_) {
      case Phase::reading:
        more = read_some();
        break;
      case Phase::asking:
        ask();
        more = false;
        break;
      case Phase::passing:
        more = pass_some();
        break;
      case Phase::judging:
      case Phase::recording:
      case Phase::stopped:
        more = false;
        break;
    }
    if (alive.expired()) return;
  }
  within_ = false;
  const bool wanted = (phase_ == Phase::reading && !behind()) || input_.size() <= kMaxGateInputBytes;
  if (std::exchange(wanted_, wanted) != wanted) owner_.want(setting_.direction, wanted);
  if (!alive.expired() && idle()) owner_.on_idle(setting_.direction);
}

// False when there is nothing more to be read, or something is on its way.
bool MessageGate::read_some() {
  if (behind()) return false;  // goes on when it has drained
  const auto event = reader_.next(input_);
  if (!event) {
    const auto fault = event.error();
    owner_.on_fault(setting_.direction, fault);
    return false;
  }
  if (setting_.inspection == nullptr && event->kind != MessageReader::Event::Kind::need_more) {
    input_.erase(0, event->consumed);
    pass_on(*event);
    return event->opcode != Opcode::close;
  }
  const bool control = event->kind == MessageReader::Event::Kind::control;
  if (event->kind != MessageReader::Event::Kind::need_more && !control && !message_) {
    message_ = std::make_unique<Held>(setting_.inspection->room);
    if (setting_.restorer) message_->restorer = setting_.restorer();
  }
  bool held = true;
  switch (event->kind) {
    case MessageReader::Event::Kind::need_more:
      input_.erase(0, event->consumed);
      return false;
    case MessageReader::Event::Kind::data:
      held = hold(*message_, message_->restorer ? message_->restorer->restore_body(event->bytes) : event->bytes);
      break;
    case MessageReader::Event::Kind::message:
      message_->opcode = event->opcode;
      held = !message_->restorer || hold(*message_, message_->restorer->finish_body());
      if (held) start_scanning(std::move(message_));
      break;
    case MessageReader::Event::Kind::control:
      held = hold_control(*event);
      break;
  }
  if (held) input_.erase(0, event->consumed);
  return held;
}

// The other side does not keep up.
bool MessageGate::behind() const {
  return setting_.inspection == nullptr && owner_.pass_queued(setting_.direction) > kMaxPassQueuedBytes;
}

// Without a scanner, as it comes.
void MessageGate::pass_on(const MessageReader::Event& event) {
  FrameHead head{.opcode = event.opcode, .length = event.bytes.size(), .key = {}};
  if (!is_control(event.opcode)) {
    head.fin = event.kind == MessageReader::Event::Kind::message;
    if (std::exchange(begun_, !head.fin)) head.opcode = Opcode::continuation;
  }
  if (plays_client(setting_.direction)) head.key = random_mask_key();
  std::string wire;
  append_frame_head(wire, head);
  const size_t start = wire.size();
  wire += event.bytes;
  if (head.key) mask(wire.data() + start, event.bytes.size(), *head.key, 0);
  owner_.pass(setting_.direction, wire);
  if (event.opcode == Opcode::close) owner_.on_close_passed(setting_.direction);
}

bool MessageGate::hold_control(const MessageReader::Event& event) {
  std::string payload(event.bytes);
  if (setting_.restorer) {
    // What a placeholder makes too long for a frame of this kind is cut where it is words, and nowhere else.
    const size_t words = event.opcode == Opcode::close ? std::min<size_t>(payload.size(), 2) : 0;
    const auto restorer = setting_.restorer();
    std::string restored(restorer->restore_body(std::string_view(payload).substr(words)));
    restored += restorer->finish_body();
    if (event.opcode == Opcode::close && reader_.close_code()) {
      payload = close_payload(*reader_.close_code(), restored);
    } else {
      payload = std::move(restored);
    }
    if (payload.size() > kMaxControlBytes) {
      owner_.on_fault(setting_.direction, {kClosePolicy, "a control frame holds a secret that is not the guest's"});
      return false;
    }
  }
  auto frame = std::make_unique<Held>(setting_.inspection->room);
  frame->opcode = event.opcode;
  if (!hold(*frame, payload)) return false;
  start_scanning(std::move(frame));
  return true;
}

bool MessageGate::hold(Held& held, std::string_view bytes) {
  const auto ok = held.append(bytes);
  if (!ok) owner_.on_denied(setting_.direction, unavailable(ok.error()));
  return ok.has_value();
}

void MessageGate::start_scanning(std::unique_ptr<Held> held) {
  going_ = std::move(held);
  phase_ = Phase::asking;
}

void MessageGate::ask() {
  phase_ = Phase::judging;
  const bool control = is_control(going_->opcode);
  scan_->ask(*going_, {.part = {std::string(control ? to_string(going_->opcode) : "message"), "", ""},
                       .may_redact = !control,
                       .is_text = going_->opcode == Opcode::text});
}

void MessageGate::on_judged(ScanOutcome outcome) {
  if (!outcome.allowed) return owner_.on_denied(setting_.direction, outcome);
  if (outcome.findings.empty()) {
    start_passing();
    return proceed();
  }
  phase_ = Phase::recording;
  record_.commit(outcome.findings, setting_.direction,
                 [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
                   if (alive.expired()) return;
                   if (!committed) return owner_.on_log_lost();
                   start_passing();
                   proceed();
                 });
}

void MessageGate::start_passing() {
  phase_ = Phase::passing;
  done_ = 0;
  scan_->passed(*going_);
  FrameHead head{.opcode = going_->opcode, .length = going_->body.size(), .key = {}};
  if (plays_client(setting_.direction)) head.key = key_ = random_mask_key();
  std::string wire;
  append_frame_head(wire, head);
  owner_.pass(setting_.direction, wire);
}

// False while the other side does not keep up, and after a close.
bool MessageGate::pass_some() {
  if (done_ < going_->body.size()) {
    if (owner_.pass_queued(setting_.direction) > kMaxPassQueuedBytes) return false;
    const auto piece = going_->body.read(done_);
    if (!piece) {
      owner_.on_denied(setting_.direction, unavailable(piece.error()));
      return false;
    }
    std::string wire(*piece);
    if (plays_client(setting_.direction)) mask(wire.data(), wire.size(), key_, done_);
    done_ += wire.size();
    owner_.pass(setting_.direction, wire);
    return true;
  }
  const Opcode opcode = std::exchange(going_, nullptr)->opcode;
  phase_ = Phase::reading;
  if (opcode != Opcode::close) return true;
  owner_.on_close_passed(setting_.direction);
  return false;
}

}  // namespace gatehouse::proxy
