#include "launcher/policy_keeper.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/reload/protocol.h"

namespace gatehouse::launcher {

namespace {

using reload::FrameType;

constexpr std::string_view kSnapshotStem = "policy-";

}  // namespace

PolicyKeeper::PolicyKeeper(Loop& loop, policy::Policy started, Settings settings, Callbacks callbacks)
    : loop_(loop),
      started_(std::move(started)),
      in_force_(started_),
      settings_(std::move(settings)),
      callbacks_(std::move(callbacks)),
      limit_(loop, [this] { overdue(); }) {}

PolicyKeeper::~PolicyKeeper() = default;

Result<void> PolicyKeeper::begin() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(settings_.directory, error)) {
    if (entry.path().filename().string().starts_with(kSnapshotStem)) std::filesystem::remove(entry.path(), error);
  }
  auto written = write_snapshot(started_);
  if (!written) return failed(written);
  snapshot_ = std::move(*written);
  return {};
}

// One file a generation: a gate that is just starting reads a whole one.
Result<std::string> PolicyKeeper::write_snapshot(const policy::Policy& policy) {
  std::string path = fmt::format("{}/{}{}.json", settings_.directory, kSnapshotStem, ++generation_);
  const Fd file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno("cannot write {}", path);
  if (auto ok = write_all(file.get(), policy.snapshot()); !ok) return failed(ok, path);
  return path;
}

Result<Fd> PolicyKeeper::attach(const std::string& name) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("cannot make a socket");
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  gone(name);
  auto control = Stream::adopt(loop_, std::move(ours));
  if (!control) return failed(control);
  Gate& gate = gates_[name];
  gate.frames = ipc::FrameReader();
  gate.answers_due = 0;
  gate.committed = true;  // it starts with what is in force
  gate.control = std::move(*control);
  gate.control->set_callbacks({.data = [this, name](std::string_view bytes) { receive(name, bytes); },
                               .end = [this, name] { gone(name); },
                               .error = [this, name](const Error&) { gone(name); },
                               .drained = nullptr});
  gate.control->start_reading();
  return theirs;
}

void PolicyKeeper::reload(const std::string& by, OnDone on_done) {
  const auto later = [this](OnDone told, const std::string& words) {
    loop_.post([told = std::move(told), words] { told(fail("{}", words)); });
  };
  if (phase_ != Phase::idle) return later(std::move(on_done), "another reload is under way");
  phase_ = Phase::preparing;
  by_ = by;
  on_done_ = std::move(on_done);
  limit_.start(kPrepareLimit);
  loop_.post([this] {
    if (phase_ != Phase::preparing) return;
    auto next = read();
    if (!next) return refuse(next.error().message());
    for (const auto& [name, gate] : gates_) {
      if (gate.control == nullptr) return refuse(fmt::format("{} is just being started again: try once more", name));
    }
    next_ = std::move(*next);
    const std::string proposal = reload::encode_proposal(next_->snapshot());
    for (auto& [name, gate] : gates_) {
      ++gate.answers_due;
      gate.control->write(proposal);
    }
    prepared();
  });
}

Result<policy::Policy> PolicyKeeper::read() const {
  auto next = policy::Policy::load(settings_.files);
  if (!next) return next;
  if (auto ok = next->check_replaces(started_); !ok) return failed(ok);
  return next;
}

void PolicyKeeper::receive(std::string name, std::string_view bytes) {
  gates_[name].frames.feed(bytes);
  while (gates_[name].control != nullptr) {
    const auto frame = gates_[name].frames.next();
    if (frame && !*frame) return;
    if (!frame) return gone(name);
    take(name, **frame);
  }
}

void PolicyKeeper::take(const std::string& name, const ipc::Frame& frame) {
  Gate& gate = gates_[name];
  const auto type = static_cast<FrameType>(frame.type);
  if (type == FrameType::committed) {
    gate.committed = true;
    return committed();
  }
  if (gate.answers_due == 0) return gone(name);  // nobody asked
  if (--gate.answers_due > 0 || phase_ != Phase::preparing) return;
  if (type == FrameType::prepared) return prepared();
  refuse(fmt::format("{}: {}", name, type == FrameType::refused ? frame.payload : "answers something else"));
}

void PolicyKeeper::gone(std::string name) {
  gates_[name].control.reset();
  if (phase_ == Phase::preparing && next_) refuse(name + " ended meanwhile: try once more");
  committed();
}

void PolicyKeeper::prepared() {
  if (std::any_of(gates_.begin(), gates_.end(), [](const auto& one) { return one.second.answers_due > 0; })) return;
  put_in_force();
}

void PolicyKeeper::put_in_force() {
  auto written = write_snapshot(*next_);
  if (!written) return refuse(written.error().message());
  const auto row = callbacks_.record({"reloaded", next_->files(), next_->sha256(), "asked for by " + by_});
  if (!row) {
    ::unlink(written->c_str());
    return refuse("the audit log cannot be written: " + row.error().message());
  }
  snapshot_ = std::move(*written);
  in_force_ = std::move(*next_);
  next_.reset();
  phase_ = Phase::committing;
  limit_.start(kCommitLimit);
  for (auto& [name, gate] : gates_) {
    gate.committed = false;
    if (gate.control != nullptr) gate.control->write(reload::encode(FrameType::commit));
  }
  committed();
}

// A gate that is away comes back with the snapshot in force.
void PolicyKeeper::committed() {
  if (phase_ != Phase::committing) return;
  for (const auto& [name, gate] : gates_) {
    if (gate.control != nullptr && !gate.committed) return;
  }
  done(fmt::format("generation {} of the policy is in force: {}", generation_, in_force_.sha256()));
}

void PolicyKeeper::overdue() {
  if (phase_ == Phase::preparing) return refuse("a gate does not answer");
  for (auto& [name, gate] : gates_) {
    if (gate.control == nullptr || gate.committed) continue;
    log::warn("{} does not put the new policy in force: it is started again", name);
    callbacks_.restart(name);
  }
  limit_.start(kCommitLimit);
}

void PolicyKeeper::refuse(const std::string& words) {
  if (next_) {
    for (auto& [name, gate] : gates_) {
      if (gate.control != nullptr) gate.control->write(reload::encode(FrameType::drop));
    }
  }
  next_.reset();
  std::string told = "the policy is not reloaded, the one before holds: " + words;
  const auto row = callbacks_.record(
      {"reload-failed", in_force_.files(), in_force_.sha256(), fmt::format("asked for by {}: {}", by_, words)});
  if (!row) told += fmt::format("\nand the audit log cannot be written: {}", row.error().message());
  done(tl::unexpected(Error(told)));
}

void PolicyKeeper::done(const Result<std::string>& outcome) {
  phase_ = Phase::idle;
  limit_.stop();
  const auto on_done = std::move(on_done_);
  on_done_ = nullptr;
  if (on_done) on_done(outcome);
}

}  // namespace gatehouse::launcher
