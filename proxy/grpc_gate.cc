#include "proxy/grpc_gate.h"

#include <utility>

namespace gatehouse::proxy {

namespace {
ScanOutcome malformed(const Refusal& why) {
  return {.denial = {Verdict::deny, std::string(why.id), why.reason}, .status = why.status};
}
}  // namespace

GrpcGate::GrpcGate(Owner& owner, const Inspection& with, ExchangeRecord& record, Setting setting)
    : owner_(owner),
      with_(with),
      record_(record),
      setting_(std::move(setting)),
      reader_(setting_.encoding),
      scan_(static_cast<MessageScan::Owner&>(*this), with, setting_.stream) {}

void GrpcGate::take(std::string_view bytes) {
  if (phase_ == Phase::stopped) return;
  untouched_ = false;
  input_ += bytes;
  proceed();
}

void GrpcGate::end(const Fields& trailers) {
  if (phase_ == Phase::stopped) return;
  untouched_ = false;
  ended_ = true;
  has_trailers_ = !trailers.empty();
  proceed();
}

void GrpcGate::go_ahead() {
  if (!std::exchange(judged_, true)) owner_.on_call_judged({});
}

void GrpcGate::open() {
  open_ = true;
  if (phase_ == Phase::waiting) start_passing();
  proceed();
}

void GrpcGate::rewind() {
  open_ = false;
  end_passed_ = false;
  passed_ = 0;
  if (first_) going_ = std::move(first_);
  if (going_) phase_ = Phase::waiting;
}

void GrpcGate::settle() {
  settled_ = true;
  first_.reset();
}

void GrpcGate::proceed() {
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
      case Phase::waiting:
      case Phase::recording:
      case Phase::stopped:
        more = false;
        break;
    }
    if (alive.expired()) return;
  }
  within_ = false;
  const bool wanted = phase_ == Phase::reading || input_.size() <= kMaxGateInputBytes;
  if (std::exchange(wanted_, wanted) != wanted) owner_.want_messages(wanted);
}

// False when there is nothing more to be read, or something is on its way.
bool GrpcGate::read_some() {
  if (judged_ && !open_) return false;
  const auto event = reader_.next(input_);
  if (!event) {
    deny(malformed(event.error()));
    return false;
  }
  switch (event->kind) {
    case GrpcMessageReader::Event::Kind::need_more:
      input_.erase(0, event->consumed);
      if (ended_) end_reading();
      return false;
    case GrpcMessageReader::Event::Kind::begin:
      size_ += kGrpcPrefixBytes + reader_.length();
      if (size_ > setting_.limit.bytes) {
        deny(over_body_limit(setting_.limit));
        return false;
      }
      message_ = std::make_unique<Held>(with_.room);
      message_->compressed = reader_.compressed();
      break;
    case GrpcMessageReader::Event::Kind::data:
      if (auto ok = message_->append(event->bytes); !ok) {
        deny(unavailable(ok.error()));
        return false;
      }
      break;
    case GrpcMessageReader::Event::Kind::message:
      going_ = std::move(message_);
      first_.reset();
      phase_ = Phase::asking;
      break;
  }
  input_.erase(0, event->consumed);
  return true;
}

void GrpcGate::end_reading() {
  if (!reader_.between()) return deny(malformed({"grpc.malformed", 400, "a gRPC request ends within a message"}));
  // The protocol knows none, and nobody has looked at them.
  if (has_trailers_) return deny(malformed({"grpc.malformed", 400, "a gRPC request ends with trailer fields"}));
  if (!std::exchange(judged_, true)) return owner_.on_call_judged({});
  if (!std::exchange(end_passed_, true)) owner_.pass_end();
}

void GrpcGate::ask() {
  phase_ = Phase::judging;
  const bool packed = going_->compressed;
  scan_.ask(*going_, {.part = {"body", packed ? "" : setting_.content_type, packed ? setting_.encoding : ""},
                      .joins = !packed,
                      .may_redact = !packed});
}

void GrpcGate::on_judged(ScanOutcome outcome) {
  if (!outcome.allowed) return deny(outcome);
  if (!going_->compressed) scan_.passed(*going_);
  if (!std::exchange(judged_, true)) {
    phase_ = Phase::waiting;
    return owner_.on_call_judged(std::move(outcome.findings));
  }
  if (outcome.findings.empty()) {
    start_passing();
    return proceed();
  }
  phase_ = Phase::recording;
  record_.commit(outcome.findings, dlp::Direction::out,
                 [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
                   if (alive.expired()) return;
                   if (!committed) return owner_.on_findings_lost();
                   start_passing();
                   proceed();
                 });
}

void GrpcGate::start_passing() {
  phase_ = Phase::passing;
  prefix_due_ = true;
  done_ = 0;
  ++passed_;
}

// False while the upstream does not keep up.
bool GrpcGate::pass_some() {
  if (owner_.pass_queued() > kMaxPassQueuedBytes) return false;
  if (std::exchange(prefix_due_, false)) {
    owner_.pass_message(GrpcMessageReader::prefix(going_->compressed, static_cast<uint32_t>(going_->body.size())));
    return true;
  }
  if (done_ < going_->body.size()) {
    const auto piece = going_->body.read(done_);
    if (!piece) {
      deny(unavailable(piece.error()));
      return false;
    }
    done_ += piece->size();
    owner_.pass_message(*piece);
    return true;
  }
  // The one that can be sent once more, elsewhere.
  if (passed_ == 1 && !settled_) first_ = std::move(going_);
  going_.reset();
  phase_ = Phase::reading;
  return true;
}

void GrpcGate::deny(const ScanOutcome& outcome) {
  phase_ = Phase::stopped;
  alive_ = std::make_shared<bool>(true);  // a late commit finds nobody
  scan_.drop();
  owner_.on_message_denied(outcome);
}

}  // namespace gatehouse::proxy
