// One question at a time: bytes and the time in; a reply out, and before it, where one is due, the row that must be
// committed.
//
// A question gets a row, and its reply waits for the COMMIT, except:
// - A repeat of a question whose row is committed, within the window of that row (RecentAnswers): answered at once,
// counted, and
//   summed up in one row when the window ends. (A SIGKILL loses such counts; it never loses a first row.)
// - PTR of an address that was given out: the proxy asks it for every connection, the row of the name's own answer has
// said all
//   of it already, and the connection gets a row from the proxy. A guest that asks learns only what it has been told
//   before. Every other reverse question is a try to look up something outside (or a place to put data) and gets a
//   denial with its row.
// - A name that is denied below a domain which has been noticed (DomainWatch): answered at once and counted.
// - Over RowBudget: REFUSED at once, all of them summed up in a row a second, and then less and less often.
//
// Nothing here ever asks anybody else: there is no upstream.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "common/audit/event.h"
#include "common/policy/policy.h"
#include "dns/budget.h"
#include "dns/domain_watch.h"
#include "dns/pool.h"
#include "dns/recent.h"
#include "dns/reply.h"

namespace gatehouse::dns {

// What is to be sent. The caller owns it and may use it again for the next question.
struct Draft {
  std::string_view reply;    // within the buffers below
  std::string_view failure;  // set with Step::record and Step::wait: SERVFAIL, for when the row cannot be written
  std::string_view denial;   // likewise, where names are scanned: NXDOMAIN, for when the scanner holds the name back
  ReplyBuffer reply_bytes;
  ReplyBuffer failure_bytes;
  ReplyBuffer denial_bytes;
};

struct Step {
  enum class Kind {
    answer,  // send draft.reply (empty: nothing is to be sent)
    record,  // commit `event`, then call committed() and send draft.reply, or lost() and send draft.failure or
             // draft.denial
    wait,    // the same, with the row already under way under `ticket`
  };
  Kind kind = Kind::answer;
  uint64_t ticket = 0;
  std::optional<audit::DnsEvent> event;
  // Where names are scanned, the name in the letters it was asked in; "" for none. With record its verdict comes before
  // the row; with answer nothing waits for it, and what is found is noted under `trace_id`.
  std::string asked;
  std::string trace_id;
};

class Resolver {
 public:
  using Judge = std::function<Decision(const policy::DnsQuestion&)>;

  // `pool` outlives the resolver and holds what an earlier run has given out. `scanned`: names are looked through
  // between handle() and the row (NameScan), so that steps and drafts must hold what that takes.
  Resolver(Judge judge, Pool& pool, bool scanned = false) : judge_(std::move(judge)), pool_(pool), scanned_(scanned) {}

  // Reads one message of any bytes. `now` never goes back from one call to the next.
  Step handle(std::string_view message, Transport transport, Time now, Draft& draft);

  // What became of the row of a Step::record. Calls come in the order of the tickets. Lost is also the row in whose
  // place a denial was written: what the resolver decided is not answered to anybody.
  void committed(uint64_t ticket);
  void lost(uint64_t ticket);

  // From now on every question is judged anew, repeats too.
  void forget_answers();

  // Rows that sum up what was not recorded one by one; nobody waits for them. Call about once a second.
  std::vector<audit::DnsEvent> summaries(Time now);
  // The same for the end, whatever windows are still open.
  std::vector<audit::DnsEvent> last_summaries();

 private:
  struct Open {  // a row under way
    uint64_t ticket;
    RecentAnswer* answer;  // null when it is not remembered
    std::optional<IpAddress> address;
  };
  RecentAnswer decide(const Query& query, Time now);
  RecentAnswer decide_name(const Query& query, Time now);
  Step record(const Query& query, std::string_view key, RecentAnswer answer, Transport transport, Time now,
              Draft& draft);
  Step count(const Query& query, std::string_view key, RecentAnswer answer, const std::string& event_id,
             Transport transport, Time now, Draft& draft);
  void write_denial(const Query& query, const std::string& event_id, Transport transport, Draft& draft) const;
  Step repeat(const Query& query, RecentAnswer& answer, Transport transport, Time now, Draft& draft);
  bool answer_reverse(const Query& query, Transport transport, Time now, Draft& draft);
  void refuse_flood(const Query& query, Transport transport, Draft& draft);
  void sum_up_flood(Time now);
  Open close(uint64_t ticket);

  Judge judge_;
  Pool& pool_;
  bool scanned_;
  RecentAnswers recent_;
  RowBudget budget_;
  DomainWatch watch_;
  std::deque<Open> open_;
  uint64_t next_ticket_ = 1;
  uint64_t refused_ = 0;  // over the budget, since the last row about it
  Time refused_told_{};
  std::chrono::seconds refused_period_{};  // from the last row about it to the next
  std::vector<audit::DnsEvent> summaries_;
};

}  // namespace gatehouse::dns
