// What was answered lately. Within an answer's window the same question is answered from here at once and counted, so
// that a flood of one question is one row and then one summary.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/audit/event.h"
#include "dns/budget.h"
#include "dns/keyed_hash.h"
#include "dns/reply.h"

namespace gatehouse::dns {

inline constexpr size_t kMaxRecent =
    32768;  // some 40 MB when full of long names; twice kMaxPoolNames, for A and AAAA of each

// One answer, and all that its row said.
struct RecentAnswer {
  audit::DnsEvent event;  // as recorded first; its id is in `error_text`
  Reply::Content content = Reply::Content::nothing;
  Rcode rcode = Rcode::servfail;
  IpAddress address;
  ErrorCode error_code = ErrorCode::other;
  std::string error_text;  // empty: no extended error
  bool counted = false;    // it has no row of its own: `event` stands for many
  uint64_t ticket = 0;     // of the row that is not yet committed; 0: it is
  bool lost = false;       // its row could not be written: it must not be answered from here
  uint64_t repeats = 0;    // answers given since the row
  Time expires{};

  Reply reply() const;
};

class RecentAnswers {
 public:
  // How long an answer counts for its repeats. An allowed one: as long as a client may itself remember it. A denied
  // one: a second, so that the log shows how long an agent kept trying.
  static constexpr std::chrono::seconds kAllowedWindow = kAnswerTtl;
  static constexpr std::chrono::seconds kDeniedWindow{1};

  // The answer remembered under `key`, or null. Call expire() before: what has expired is still found.
  RecentAnswer* find(std::string_view key);

  // Remembers an answer for its window, in place of one with the same key. Null when kMaxRecent are held: the answer is
  // then simply not remembered. Pointers stay good until the answer expires, which it does not while `ticket` is set.
  RecentAnswer* remember(std::string_view key, RecentAnswer answer, Time now);

  // Forgets answers whose window is over and appends one summarising row for each that was repeated.
  void expire(Time now, std::vector<audit::DnsEvent>& summaries);

  // As if every window were over: for the end of the session.
  void expire_all(std::vector<audit::DnsEvent>& summaries);

  size_t size() const { return answers_.size(); }

 private:
  struct Due {
    Time when;
    const std::string* key;  // in answers_
  };
  void expire_from(std::deque<Due>& queue, Time now, std::vector<audit::DnsEvent>& summaries);

  std::unordered_map<std::string, RecentAnswer, KeyedHash, std::equal_to<>> answers_;
  // Each window has one length, so each queue is in order of time.
  std::deque<Due> allowed_;
  std::deque<Due> denied_;
};

}  // namespace gatehouse::dns
