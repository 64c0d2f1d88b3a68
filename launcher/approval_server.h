// Where gates ask for approval and `gatehouse approvals` decides: two listening Unix sockets around Approvals.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "common/audit/log.h"
#include "common/ipc/frame.h"
#include "common/net/stream.h"
#include "launcher/approvals.h"

namespace gatehouse::launcher {

// Every decision's row is committed before whoever waits is told; one that cannot be committed is a denial.
class ApprovalServer {
 public:
  struct Callbacks {
    std::function<void(const approval::Pending&)> asked;  // a person is wanted
    std::function<bool(pid_t)> is_gate;                   // a process of the house, which may ask and never decide
    // A person wants the policy to be read again; the answer is called later, once.
    std::function<void(const std::string& by, std::function<void(const approval::Reply&)>)> reload;
  };

  // `loop` and `audit` outlive it. Both sockets listen, in a directory of the user's own.
  static Result<std::unique_ptr<ApprovalServer>> start(Loop& loop, audit::AuditLog& audit, Fd gates, Fd people,
                                                       Callbacks callbacks);
  ~ApprovalServer();

 private:
  struct Peer;
  ApprovalServer(Loop& loop, audit::AuditLog& audit, Callbacks callbacks);

  void accept(std::unique_ptr<Stream> stream, bool person);
  void receive(Peer& peer, std::string_view bytes);
  Result<void> take(Peer& peer, const ipc::Frame& frame);
  void ask(Peer& peer, approval::Wanted wanted);
  approval::Reply decide(const Peer& peer, const approval::Decide& decide);
  void record(std::vector<Approvals::Settled> settled);
  void reload(const Peer& peer);
  void tell(uint64_t number, const std::string& frames);
  void drop(Peer& peer);
  void watch_clock();

  Loop& loop_;
  audit::AuditLog& audit_;
  Callbacks callbacks_;
  Approvals approvals_;
  Timer clock_;
  uint64_t next_peer_ = 1;
  std::list<std::unique_ptr<Peer>> peers_;
  std::unique_ptr<Listener> gates_;
  std::unique_ptr<Listener> people_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::launcher
