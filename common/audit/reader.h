// The audit log, reading side: what auditors look at, and the proof that nobody has changed it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::audit {

// One line of the story of a session, whatever table it comes from.
struct Entry {
  std::string table;
  std::string writer;
  int64_t seq = 0;      // in its writer's chain
  int64_t time_us = 0;  // UTC
  std::string event_id;
  std::string trace_id;
  std::string session;
  std::string channel;  // "https", "http", "connect", "tcp", "vsock", "dns", "exec", "policy", "process", "dlp",
                        // "model", "tool", "approval"
  std::string what;     // "GET api.example.com:443/x", "A api.example.com", ...: what was tried
  std::string
      verdict;  // "allow", "ask", "deny"; of a finding "deny", "redact", "warn", "exempt"; empty: judges nothing
  std::string rule_id;
  std::string reason;
  std::string json;  // the whole row as one JSON object, for --json
};

struct Filter {
  bool blocked_only = false;  // verdict is deny, or a finding was redacted
  std::string trace = {};     // of that exchange alone; empty: of any
};

// How many exchanges (net and dns) were allowed and denied.
struct Counts {
  int64_t allowed = 0;
  int64_t denied = 0;
};

class AuditReader {
 public:
  static constexpr size_t kMaxEntriesPerCall = 10'000;

  // Opens read-only. A missing file or one that is no audit log is an error.
  static Result<std::unique_ptr<AuditReader>> open(const std::string& path);
  ~AuditReader();

  // Entries in order of commit, those not returned by an earlier call on this reader only: call again to follow. At
  // most kMaxEntriesPerCall; an empty answer says that there is nothing more as yet.
  Result<std::vector<Entry>> next_entries(const Filter& filter);

  Result<Counts> counts();

  // The trace of the row with this event id, whatever table it is in; else `id` itself.
  Result<std::string> trace_of(const std::string& id);

  // Answers from the pool that dns has committed, in order: what a restarted dns gate starts from.
  struct PoolAnswer {
    std::string name;
    std::string address;
  };
  Result<std::vector<PoolAnswer>> pool_answers();

 private:
  struct Database;
  explicit AuditReader(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

// One place where a chain does not hold.
struct ChainFault {
  std::string writer;
  int64_t seq = 0;
  std::string table;
  std::string what;  // "edited: ...", "missing: rows 4 to 6", "out of order: ..."
};
struct ChainReport {
  int64_t rows = 0;
  int64_t writers = 0;
  std::vector<ChainFault> faults;  // empty: every row is as it was committed, none is missing
};
Result<ChainReport> verify(const std::string& path);

}  // namespace gatehouse::audit
