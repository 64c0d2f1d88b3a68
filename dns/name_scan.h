// Looks through names before their rows are written: as asked, and without dots joined to the names asked before below
// the same domain, since a secret cut into labels or into questions is one secret. Passive but for the client it
// asks and the function it appends rows with.
//
// Nothing a name holds ever leaves by DNS. But a name that is resolved is one that the agent may then connect to, and
// what was tried is evidence.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/audit/event.h"
#include "common/dlp/client.h"
#include "dns/recorder.h"

namespace gatehouse::dns {

inline constexpr size_t kMaxJoinedDomains = 256;   // the one not asked for the longest is forgotten first
inline constexpr size_t kMaxJoinedBytes = 4096;    // of the latest names below one domain
inline constexpr size_t kMaxHiddenDomains = 1024;  // beyond which no sum shows any domain
inline constexpr size_t kMaxLooks = 256;  // names under way beyond which those that nobody waits for are left out

// The labels of the latest questions below each domain, without dots, in the order asked.
class JoinedNames {
 public:
  // Adds `name` ("data.evil.example", any case) and returns all that is kept below its domain. Empty when the name is
  // nothing but its domain.
  std::string_view add(std::string_view name);
  // Forgets the name added last: held back, it is no part of what has got through. Those that come after it are not to
  // be denied for it, and those before it still count.
  void forget_last();

 private:
  struct Domain {
    std::string name;
    std::string last;  // question: resolvers repeat themselves (A and AAAA)
    std::string joined;
    size_t last_bytes = 0;  // of joined, that the last question added
  };
  std::list<Domain> domains_;  // the latest first
  std::unordered_map<std::string_view, std::list<Domain>::iterator> by_name_;
};

class NameScan {
 public:
  using Append = std::function<void(audit::Event, std::function<void(Result<void>)>)>;

  // `client` outlives this. `append` commits a row and calls back in the order of the calls, as AuditLog::append.
  NameScan(dlp::ScanClient& client, Append append) : client_(client), append_(std::move(append)) {}

  // For Recorder: has the name scanned, writes what was found, then the event's row, which denies (dlp.RULE, or
  // dlp.unavailable) when the scanner does or is away. In the order of the calls. An event without a name is written as
  // it is.
  void record(audit::DnsEvent event, std::string asked, Recorder::Committed committed);

  // Has a name scanned that is denied and has no row of its own: only what is found is written, under `trace_id`. Left
  // out while there is more to do than the scanner keeps up with.
  void look(std::string asked, std::string trace_id);

  // Writes a row that sums up questions asked so far, after the rows of these; where a secret was found that reached
  // into the domain itself, without that.
  void sum_up(audit::DnsEvent event);
  // The same for the last rows of all, written by the caller: names not looked through yet count as holding a secret.
  void veil_last(audit::DnsEvent& event) const;

 private:
  struct Pending {
    audit::DnsEvent event;
    std::string asked;              // empty: not to be looked through
    Recorder::Committed committed;  // null: nobody waits
    bool sum = false;
  };
  void next();
  void judged(const Result<dlp::ScanVerdict>& verdict);
  void append_findings(const dlp::ScanVerdict& verdict, std::string_view asked, const std::string& trace_id);
  bool hides(std::string_view domain) const;

  dlp::ScanClient& client_;
  Append append_;
  JoinedNames joined_;
  std::unordered_set<std::string> hidden_domains_;  // lower case: with a secret in what is registered
  std::deque<Pending> pending_;                     // the first is being scanned
  std::unique_ptr<dlp::Scan> scan_;
};

}  // namespace gatehouse::dns
