// The policy of a session: what its gates are started with, and how another one takes its place while they run.
//
// All layers are read here, once, and kept as one snapshot in the session's state: a gate that is started again judges
// by what the others judge by, whatever has become of the files. A reload reads the files again, machine-wide ones too.
// It is all or nothing: every gate has said that it can judge by the new policy, and the snapshot and the row are
// written, before the first is told to. A gate that then fails to is started again, with the new one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/audit/event.h"
#include "common/ipc/frame.h"
#include "common/net/stream.h"
#include "common/policy/policy.h"

namespace gatehouse::launcher {

class PolicyKeeper {
 public:
  static constexpr std::chrono::milliseconds kPrepareLimit{10'000};
  static constexpr std::chrono::milliseconds kCommitLimit{5'000};

  struct Settings {
    std::vector<std::string> files;  // of the session; absolute
    std::string directory;           // for the snapshots
  };
  struct Callbacks {
    std::function<Result<void>(audit::PolicyEvent)> record;  // commits
    std::function<void(const std::string& gate)> restart;    // ends it, so that it comes back
  };
  // `loop` outlives it.
  PolicyKeeper(Loop& loop, policy::Policy started, Settings settings, Callbacks callbacks);
  ~PolicyKeeper();
  PolicyKeeper(const PolicyKeeper&) = delete;
  PolicyKeeper& operator=(const PolicyKeeper&) = delete;

  // Writes the first snapshot; what an earlier session left goes.
  Result<void> begin();

  // The file that holds the policy in force (0600).
  const std::string& snapshot() const { return snapshot_; }

  // A gate is about to be started with that: the end of its control socket (common/reload/protocol.h).
  Result<Fd> attach(const std::string& gate);

  // `by` asks for it. Done, in words, or why not; never from within. The row is written either way.
  using OnDone = std::function<void(const Result<std::string>&)>;
  void reload(const std::string& by, OnDone on_done);

 private:
  enum class Phase { idle, preparing, committing };
  struct Gate {
    std::unique_ptr<Stream> control;  // null while the gate is away
    ipc::FrameReader frames;
    int answers_due = 0;  // to proposals, of which only the last counts
    bool committed = false;
  };

  Result<policy::Policy> read() const;
  Result<std::string> write_snapshot(const policy::Policy& policy);
  void receive(std::string name, std::string_view bytes);
  void take(const std::string& name, const ipc::Frame& frame);
  void gone(std::string name);  // by value: the callback that calls goes with its stream
  void prepared();
  void put_in_force();
  void committed();
  void refuse(const std::string& words);
  void done(const Result<std::string>& outcome);
  void overdue();

  Loop& loop_;
  const policy::Policy started_;
  policy::Policy in_force_;
  const Settings settings_;
  const Callbacks callbacks_;
  std::string snapshot_;
  int generation_ = 0;
  std::map<std::string, Gate> gates_;
  Phase phase_ = Phase::idle;
  std::optional<policy::Policy> next_;
  std::string by_;
  OnDone on_done_;
  Timer limit_;
};

}  // namespace gatehouse::launcher
