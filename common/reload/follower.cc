#include "common/reload/follower.h"

#include "common/base/log.h"
#include "common/reload/protocol.h"

namespace gatehouse::reload {

Result<std::unique_ptr<Follower>> Follower::start(Loop& loop, PolicySource source, Callbacks callbacks) {
  if (!source.control) return std::unique_ptr<Follower>();
  std::unique_ptr<Follower> follower(new Follower(std::move(source.policy), std::move(callbacks)));
  auto* const raw = follower.get();
  auto control = Stream::adopt(loop, std::move(source.control));
  if (!control) return failed(control);
  raw->control_ = std::move(*control);
  raw->control_->set_callbacks({.data = [raw](std::string_view bytes) { raw->receive(bytes); },
                                .end = [raw] { raw->lost(); },
                                .error = [raw](const Error&) { raw->lost(); },
                                .drained = nullptr});
  raw->control_->start_reading();
  raw->alone_ = source.alone;
  if (!source.alone) return follower;
  auto hangups = SignalWatch::start(loop, {SIGHUP}, [raw](int) { raw->read_again(); });
  if (!hangups) return failed(hangups);
  raw->hangups_ = std::move(*hangups);
  return follower;
}

void Follower::lost() {
  control_.reset();
  if (alone_) log::warn("the policy cannot be read again: its reader is gone");
}

void Follower::read_again() {
  if (control_ == nullptr) return refuse("its reader is gone; restart the gate");
  again_ = std::exchange(reading_, true);
  if (!again_) control_->write(encode(FrameType::read));
}

void Follower::receive(std::string_view bytes) {
  frames_.feed(bytes);
  while (control_ != nullptr) {
    const auto frame = frames_.next();
    if (frame && !*frame) return;
    const auto taken = frame ? take(**frame) : failed(frame);
    if (taken) continue;
    log::error("who brings policies breaks the protocol: {}", taken.error().message());
    return lost();
  }
}

Result<void> Follower::take(const ipc::Frame& frame) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::piece:
      if (snapshot_.size() + frame.payload.size() > policy::kMaxSnapshotBytes) return fail("a policy too large");
      snapshot_ += frame.payload;
      return {};
    case FrameType::propose:
      proposed();
      return {};
    case FrameType::refused:
      refuse(frame.payload);
      return {};
    case FrameType::commit:
      if (!next_) return fail("there is nothing to put in force");
      put_in_force(*next_, switch_);
      control_->write(encode(FrameType::committed));
      return {};
    case FrameType::drop:
      next_.reset();
      switch_ = nullptr;
      return {};
    default:
      return fail("a frame of type {}", frame.type);
  }
}

void Follower::proposed() {
  auto next = policy::Policy::from_snapshot(std::exchange(snapshot_, {}));
  if (!next) return refuse(next.error().message());
  if (alone_) {
    if (auto ok = next->check_replaces(started_); !ok) return refuse(ok.error().message());
  }
  auto prepared = callbacks_.prepare(*next);
  if (!prepared) return refuse(prepared.error().message());
  next_ = std::move(*next);
  switch_ = std::move(*prepared);
  if (!alone_) return control_->write(encode(FrameType::prepared));
  const auto on_recorded = [this, alive = std::weak_ptr(alive_)](const Result<void>& committed) {
    if (!alive.expired()) recorded(*next_, switch_, committed);
  };
  if (!callbacks_.record) return on_recorded({});
  callbacks_.record({"reloaded", next_->files(), next_->sha256(), "asked for by SIGHUP"}, on_recorded);
}

// What cannot be written down does not hold.
void Follower::recorded(const policy::Policy& next, const Switch& put, const Result<void>& committed) {
  if (!committed) return refuse("the audit log cannot be written: " + committed.error().message());
  put_in_force(next, put);
  log::info("the policy was reloaded: {}", in_force_.sha256());
  reading_ = false;
  if (std::exchange(again_, false)) read_again();
}

void Follower::put_in_force(const policy::Policy& next, const Switch& put) {
  in_force_ = next;
  put();
  next_.reset();
  switch_ = nullptr;
}

void Follower::refuse(const std::string& words) {
  next_.reset();
  switch_ = nullptr;
  if (!alone_) return control_->write(encode(FrameType::refused, words));
  log::error("the policy is not reloaded, the one before holds: {}", words);
  if (callbacks_.record) {
    callbacks_.record({"reload-failed", in_force_.files(), in_force_.sha256(), "asked for by SIGHUP: " + words},
                      [](const Result<void>&) {});
  }
  reading_ = false;
  if (std::exchange(again_, false)) read_again();
}

}  // namespace gatehouse::reload
