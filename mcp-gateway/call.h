// One request of a client's to a server: judged, looked through, put on record, sent; and whatever the server says or
// asks before it answers, and its answer, looked through before the guest has it, in the order in which it came.
#pragma once

#include <chrono>
#include <deque>
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
#include "mcp-gateway/model_link.h"
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
  ModelLink* model_link = nullptr;                               // null: nobody knows what models asked for
  // Writes a row that nobody waits for, together with what else comes in the next moment; null: by record.
  std::function<void(audit::Event)> note = nullptr;
};

inline constexpr size_t kMaxSaidOfCall = 256;             // that wait to be looked through; what comes then is dropped
inline constexpr std::chrono::minutes kQuestionTime{10};  // that a client has to answer what a server asks it

class Call {
 public:
  enum class What { tool, prompt, resource, completion };
  struct Asked {
    What what = What::tool;
    std::string method = "tools/call";
    std::string shown;  // the name it was called by
    std::string server;
    std::string name;                   // the server's own; of a resource, its URI
    bool listed = true;                 // by the server; else its name is the guest's, and nobody has looked through it
    bool of_prompt = false;             // it completes a prompt's argument
    bool own_names = false;             // the server's are shown as they are
    std::string pin;                    // of its definition; empty: no such tool is shown
    std::optional<Decision> withheld;   // why it is not shown, if that is decided
    Value schema;                       // of its arguments; null if there is none
    Value params;                       // what the server is to be sent
    uint64_t params_bytes = 0;          // as JSON; of a tool, of its arguments
    std::unique_ptr<Room::Share> room;  // that they take
    Value capabilities = Value::object();  // of the client, as far as it said
    std::string log_level = {};            // that it wants of this request; empty: none
    bool progress = false;                 // it wants to be told
    bool task_only = false;                // the server runs that tool as a task, and not otherwise
  };
  using Outcome = std::variant<Value, RpcError>;
  struct Callbacks {
    std::function<void(Outcome)> done;              // once, never from within a call of ours; may destroy the call
    std::function<void(Said)> said = nullptr;       // null: not wanted
    std::function<void(Question)> asked = nullptr;  // to be answered by reply(); null: nobody can be asked
  };

  Call(CallTools& tools, Asked asked, Callbacks callbacks);
  // Whatever is under way is given up; the server is told if it was asked.
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // From now on somebody else hears of it.
  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }
  // To what was asked, each by its key: {"result": …} or {"error": …}.
  void reply(Value responses);

 private:
  using Inbound = std::variant<Said, Question, Answer>;

  // Outward.
  dlp::StreamInfo stream(dlp::Direction direction) const;
  void record_findings(const Looked& looked, dlp::Direction direction);
  const Value& arguments() const;
  const Value& outward() const;
  std::chrono::milliseconds call_time() const;
  void judge();
  void look_out();
  void looked_out(Looked looked);
  void ask_somebody();
  void decided();
  void record_decision();
  void recorded(const Result<void>& committed);
  void forward();
  RpcError denial() const;

  // Inward.
  void came(Inbound inbound);
  void next();
  void look_in(std::string_view what, const Value& value, std::function<void(const Looked&)> then);
  void said(Said said);
  void questioned(Question question);
  void question_looked_in(const Looked& looked);
  std::string objection_to_question() const;
  void reply_looked_out(const Looked& looked);
  // `asked`: the client has been, and has answered.
  void refuse_question(const Value& requests, Decision why, bool asked);
  void give_up_unrecorded();
  void send_reply(const Value& responses);
  void take_reply();
  audit::McpCall question_row(const Value& requests, Decision decision) const;
  void answered(Answer answer);
  void answer_looked_in(const Looked& looked);
  void end(std::string outcome, std::string error, Outcome told);
  void finish(Outcome told);

  CallTools& tools_;
  Asked asked_;
  Callbacks callbacks_;
  const std::shared_ptr<const policy::Policy> policy_;  // in force when it came
  const std::string event_id_;
  const ModelLink::Link link_;
  const std::string& trace_id_ = link_.trace_id;
  policy::McpDecision decision_;
  std::optional<Overdrawn> overdrawn_;
  std::unique_ptr<TextScan> scan_;
  std::unique_ptr<TextScan> reply_scan_;
  std::unique_ptr<approval::Question> question_;
  std::optional<uint64_t> sent_;  // the upstream's number for it, while it works on it
  std::chrono::steady_clock::time_point sent_at_;
  bool under_way_ = false;      // sent, and not yet ended: a row is owed
  bool name_is_clean_ = false;  // it was looked through
  uint64_t answer_bytes_ = 0;
  std::deque<Inbound> inbound_;
  bool looking_in_ = false;       // at the first of these
  Said said_;                     // that is looked through
  Question asking_;               // that is looked through
  Value open_ = Value::object();  // questions that the client has, by key
  std::deque<Value> replies_;     // the first one is looked through
  Answer answer_;
  Timer deadline_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Arguments for the log: a text is "<text of 12>", a number "<number>"; names that are not in the tool's schema are
// not told either, since the guest chose them.
std::string describe_arguments(const Value& arguments, const Value& schema);

}  // namespace gatehouse::mcp
