#include "proxy/message_gate.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/websocket/utf8_check.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kJoinedPart = "messages";
constexpr int kForbidden = 403;

// Whose part the proxy plays towards the side that is passed to.
bool plays_client(dlp::Direction direction) { return direction == dlp::Direction::out; }

void append_last(std::string& text, std::string_view bytes) {
  text += bytes.substr(bytes.size() - std::min(bytes.size(), kJoinedBytes));
  if (text.size() > kJoinedBytes) text.erase(0, text.size() - kJoinedBytes);
}

ScanOutcome denied(const dlp::Finding& finding, std::string_view what_now) {
  return {
      .denial = {Verdict::deny, "dlp." + finding.rule, fmt::format("found {}; {}", dlp::describe(finding), what_now)},
      .status = kForbidden};
}

// As of a request, whose findings may be redacted; and of what comes in as of a response.
ScanOutcome judge_scan(const Result<dlp::ScanVerdict>& verdict, dlp::Direction direction) {
  if (direction == dlp::Direction::in || !verdict) return judge_response_scan(verdict);
  auto findings = verdict->findings;
  for (auto& finding : findings) {
    finding.location = log::printable(finding.location);
    finding.detail = log::printable(finding.detail);
  }
  ScanOutcome outcome;
  const auto worst = std::find_if(findings.begin(), findings.end(),
                                  [](const dlp::Finding& finding) { return finding.action == FindingAction::deny; });
  if (worst != findings.end()) {
    outcome = denied(*worst, "the host never saw the message");
  } else if (verdict->outcome == dlp::ScanVerdict::Outcome::deny) {
    outcome = unavailable(Error("the scanner denies and does not say why"));
  } else {
    outcome.allowed = true;
  }
  outcome.findings = std::move(findings);
  return outcome;
}

}  // namespace

MessageGate::MessageGate(Owner& owner, ExchangeRecord& record, Setting setting)
    : owner_(owner),
      record_(record),
      setting_(std::move(setting)),
      reader_({.sender = setting_.direction == dlp::Direction::out ? Sender::client : Sender::server,
               .deflate = setting_.deflate.deflate,
               .takeover = setting_.deflate.takeover,
               .max_message = setting_.max_message}) {}

void MessageGate::take(std::string_view bytes) {
  if (phase_ == Phase::stopped) return;
  input_ += bytes;
  proceed();
}

void MessageGate::stop() {
  phase_ = Phase::stopped;
  alive_ = std::make_shared<bool>(true);  // a late commit finds nobody
  scan_.reset();
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
      case Phase::showing:
        more = show_some();
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
  if (bytes.empty()) return true;
  if (auto ok = held.body.append(bytes); !ok) {
    owner_.on_denied(setting_.direction, unavailable(ok.error()));
    return false;
  }
  held.start += bytes.substr(0, kJoinedBytes - std::min(kJoinedBytes, held.start.size()));
  append_last(held.end, bytes);
  return true;
}

void MessageGate::start_scanning(std::unique_ptr<Held> held) {
  going_ = std::move(held);
  done_ = 0;
  phase_ = Phase::showing;
  scan_ = setting_.inspection->scanner.open(setting_.stream);
  scan_->on_drained([this] { proceed(); });
  const auto opcode = going_->opcode;
  scan_->part({std::string(is_control(opcode) ? to_string(opcode) : "message"), "", ""});
}

bool MessageGate::show_some() {
  if (scan_->queued() > dlp::kMaxScanQueuedBytes) return false;  // goes on when it has drained
  if (done_ < going_->body.size()) {
    const auto piece = going_->body.read(done_);
    if (!piece) {
      owner_.on_denied(setting_.direction, unavailable(piece.error()));
      return false;
    }
    scan_->write(*piece);
    done_ += piece->size();
    return true;
  }
  if (!before_.empty() && !going_->start.empty()) {
    scan_->part({std::string(kJoinedPart), "", ""});
    scan_->write(before_);
    scan_->write(going_->start);
  }
  phase_ = Phase::judging;
  scan_->finish([this](const Result<dlp::ScanVerdict>& verdict) { on_verdict(verdict); });
  return false;
}

void MessageGate::on_verdict(const Result<dlp::ScanVerdict>& verdict) {
  auto outcome = judge_scan(verdict, setting_.direction);
  const bool to_redact = outcome.allowed && verdict->outcome == dlp::ScanVerdict::Outcome::redact &&
                         setting_.direction == dlp::Direction::out;
  if (to_redact && !redact(*verdict)) {
    auto denial = denied(outcome.findings.empty() ? dlp::Finding() : outcome.findings.front(),
                         "it cannot be overwritten where it is, so the message was not sent");
    denial.findings = std::move(outcome.findings);
    outcome = std::move(denial);
  }
  scan_.reset();
  if (!outcome.allowed) return owner_.on_denied(setting_.direction, outcome);
  const auto findings = new_findings(std::move(outcome.findings));
  if (findings.empty()) {
    start_passing();
    return proceed();
  }
  phase_ = Phase::recording;
  record_.commit(findings, setting_.direction, [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
    if (alive.expired()) return;
    if (!committed) return owner_.on_log_lost();
    start_passing();
    proceed();
  });
}

// Only where it lies open in this message, and where what remains of a text is one.
bool MessageGate::redact(const dlp::ScanVerdict& verdict) {
  for (const auto& redaction : verdict.redactions) {
    if (redaction.part != 0 || is_control(going_->opcode)) return false;
    const auto done = going_->body.overwrite(redaction.offset, redaction.length, '*');
    if (!done || !*done) return false;
  }
  going_->end.clear();  // it has not passed
  return going_->opcode == Opcode::binary || is_text();
}

bool MessageGate::is_text() {
  Utf8Check check;
  for (uint64_t at = 0; at < going_->body.size();) {
    const auto piece = going_->body.read(at);
    if (!piece || !check.feed(*piece)) return false;
    at += piece->size();
  }
  return check.complete();
}

std::vector<dlp::Finding> MessageGate::new_findings(std::vector<dlp::Finding> findings) {
  std::erase_if(findings, [&](const dlp::Finding& finding) {
    const std::string name = finding.rule + " " + finding.fingerprint;
    if (std::find(known_findings_.begin(), known_findings_.end(), name) != known_findings_.end()) return true;
    known_findings_.push_back(name);
    if (known_findings_.size() > kMaxFindingsRemembered) known_findings_.pop_front();
    return false;
  });
  return findings;
}

void MessageGate::start_passing() {
  phase_ = Phase::passing;
  done_ = 0;
  append_last(before_, going_->end);
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
