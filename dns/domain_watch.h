// Sees when names are made to carry data. Nothing that is asked here ever leaves, so this is no defence: it is
// evidence, and it keeps the log readable, since names below a domain that has been noticed and are denied get no rows
// of their own any more, but rows that sum them up. What is allowed has its row before its answer all the same.
//
// Watched are the registered domains, each by what is asked below it, and all denied names together, for who changes
// domains with every question. All in constant memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/audit/event.h"
#include "dns/keyed_hash.h"
#include "dns/name_statistics.h"
#include "dns/time.h"

namespace gatehouse::dns {

inline constexpr size_t kMaxWatchedDomains = 1024;  // below 1 KiB each; of more the one asked for the longest ago goes

// A domain is noticed when at least kNoticedNames different names were asked below it and they carry kNoticedBytes of
// information, or have long labels full of it, or half of the questions are for TXT or NULL, or they came fast. An
// agent that tries the hosts it knows of a vendor stays below; so do 60 ordinary host names.
inline constexpr uint64_t kNoticedNames = 8;
inline constexpr double kNoticedBytes = 256;
inline constexpr size_t kNoticedLabelBytes = 32;
inline constexpr double kNoticedBytesOfName = 20;  // on average, with labels that long
inline constexpr double kNoticedBulkShare = 0.5;
inline constexpr uint64_t kNoticedFastNames = 64;  // with kNoticedSecond of them within a second
inline constexpr uint64_t kNoticedSecond = 20;

// All denied names together are noticed when they have this many domains and this much information within a window.
inline constexpr double kNoticedDomains = 128;
inline constexpr double kNoticedBytesOfAll = 2048;
inline constexpr std::chrono::minutes kWindowOfAll{10};

// After the row that says a domain was noticed, what came since is summed up after a minute, then in rows twice as far
// apart each, up to 16 minutes.
inline constexpr std::chrono::minutes kFirstSummary{1};
inline constexpr std::chrono::minutes kSlowestSummary{16};

class DomainWatch {
 public:
  using Rows = std::vector<audit::DnsEvent>;

  explicit DomainWatch(KeyedHash hash = KeyedHash()) : hash_(hash) {}  // tests count alike with a known one

  // Takes note of a question that is neither a repeat nor malformed. `name` as in Name::text(). Null when it is to have
  // its own row: it is allowed, or nothing was noticed before it. Else the id of the row that stands for it, good until
  // the next call. Rows that fall due go to `rows`.
  const std::string* note(std::string_view name, uint16_t type, bool allowed, Time now, Rows& rows);

  // Rows that are due. Call about once a second.
  void sum_up(Time now, Rows& rows);
  // All that has not been told, for the end of the session.
  void sum_up_all(Rows& rows);

  size_t domains() const { return domains_.size(); }

 private:
  struct Watched {
    std::string domain;  // empty: all denied names
    NameStatistics statistics;
    bool denied = false;   // something below it was
    std::string event_id;  // of the row that says it was noticed; empty: it was not
    uint64_t counted = 0;  // questions without a row since the last one
    Time due{};
    std::chrono::minutes period = kFirstSummary;
  };
  Watched& watched(std::string_view domain, Rows& rows);
  static void notice(Watched& watched, std::string_view what, Time now, Rows& rows);
  static void sum_up(Watched& watched, Rows& rows);
  static void sum_up_if_due(Watched& watched, Time now, Rows& rows);
  const std::string* note_among_all(std::string_view name, std::string_view domain, uint16_t type, Time now,
                                    Rows& rows);

  KeyedHash hash_;
  std::list<Watched> domains_;  // asked for the latest first
  std::unordered_map<std::string_view, std::list<Watched>::iterator, KeyedHash> by_domain_;
  Watched all_;
  DistinctCount all_domains_;
  Time all_began_{};
};

}  // namespace gatehouse::dns
