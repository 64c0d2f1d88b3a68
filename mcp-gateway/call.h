// One call of a tool: judged, looked through, put on record, sent, and its answer looked through before the guest has
// it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/approval/client.h"
#include "common/audit/log.h"
#include "common/base/in_force.h"
#include "common/dlp/client.h"
#include "common/net/loop.h"
#include "common/policy/policy.h"
#include "common/quota/budgets.h"
#include "mcp-gateway/catalogue.h"
#include "mcp-gateway/room.h"
#include "mcp-gateway/text_scan.h"
#include "mcp-gateway/upstream.h"

namespace gatehouse::mcp {

// What calls work with; outlives them.
struct CallTools {
  Loop& loop;
  const InForce<policy::Policy>& policy;
  dlp::ScanClient& scanner;
  approval::Client* approver;  // null: nobody can be asked, and what needs to be is denied
  Budgets& budgets;
  // Commits a row; the callback comes never from within.
  std::function<void(audit::Event, audit::AuditLog::Committed)> record;
  std::function<Upstream*(const std::string& server)> upstream;  // null: there is none of that name
};

class Call {
 public:
  struct Asked {
    std::string shown;  // the name it was called by
    std::string server;
    std::string tool;                  // the server's name for it
    bool listed = true;                // by the server; else its name is the guest's, and nobody has looked through it
    std::string pin;                   // of its definition; empty: no such tool is shown
    std::optional<Decision> withheld;  // why it is not shown, if that is decided
    Value schema;                      // of its arguments; null if there is none
    Value arguments;
    uint64_t arguments_bytes = 0;       // as JSON
    std::unique_ptr<Room::Share> room;  // that they take
  };
  using Outcome = std::variant<Value, RpcError>;
  struct Callbacks {
    std::function<void(Outcome)> done;       // once, never from within a call of ours; may destroy the call
    std::function<void(Progress)> progress;  // null: not wanted
  };

  Call(CallTools& tools, Asked asked, Callbacks callbacks);
  // Whatever is under way is given up; the server is told if it was asked.
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  dlp::StreamInfo stream(dlp::Direction direction) const;
  void look_out();
  void looked_out(Looked looked);
  void ask_somebody();
  void decided();
  void record_decision();
  void recorded(const Result<void>& committed);
  void forward();
  void answered(Answer answer);
  void look_in(Answer answer);
  void looked_in(const Looked& looked);
  void end(std::string outcome, std::string error, Outcome told);
  void finish(Outcome told);
  RpcError denial() const;

  CallTools& tools_;
  Asked asked_;
  Callbacks callbacks_;
  const std::shared_ptr<const policy::Policy> policy_;  // in force when it came
  const std::string event_id_;
  const std::string trace_id_;
  policy::McpDecision decision_;
  std::optional<Overdrawn> overdrawn_;
  std::unique_ptr<TextScan> scan_;
  std::unique_ptr<approval::Question> question_;
  std::optional<uint64_t> sent_;  // the upstream's number for it, while it works on it
  std::chrono::steady_clock::time_point sent_at_;
  bool under_way_ = false;  // sent, and not yet ended: a row is owed
  uint64_t answer_bytes_ = 0;
  Answer answer_;
  Timer deadline_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Arguments for the log: a text is "<text of 12>", a number "<number>"; names that are not in the tool's schema are
// not told either, since the guest chose them.
std::string describe_arguments(const Value& arguments, const Value& schema);

}  // namespace gatehouse::mcp
