// What was approved of each tool, across sessions: one JSON object a line, appended to and never edited. Written by the
// gateways of all sessions and by `gatehouse mcp approve`; each line is on the disk before anything is done on its
// strength.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/json/strict.h"
#include "common/policy/mcp.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxPinFileBytes = 64 << 20;

struct PinEntry {
  enum class What {
    first,     // seen for the first time, clean, and taken as it is
    waiting,   // seen, and not what was approved: a person is needed
    approved,  // by one
  };
  What what = What::first;
  std::string server;       // its name
  std::string origin;       // origin_of() the server: another one of the same name has pins of its own
  std::string tool;         // as the server names it
  std::string pin;          // hash of the definition
  std::string reason = {};  // of one that waits
  std::string by = {};      // of one that is approved: a user's name
  int64_t time_us = 0;      // when this was written
  json::Value definition;
  int64_t since_us = 0;  // when the tool was pinned first; not written, known of what holds
};

std::string to_line(const PinEntry& entry);
Result<PinEntry> parse_entry(std::string_view line);

// Lower-case hex, of what is run and where.
std::string origin_of(const policy::McpServer& server);

// The pins of one file, as they are now.
class PinFile {
 public:
  // Opens it, or makes it (0600). One that belongs to somebody else, that others may write, or that cannot be read to
  // its end is an error. The rest of a line whose writer was killed goes: nothing was done on its strength.
  static Result<PinFile> open(const std::string& path);

  // Takes in what was written since, by whomever; whether there was anything. After an error nothing is known.
  Result<bool> refresh();
  // All of them or, when it fails, perhaps some. A `first` of a tool that is pinned by now is left out: look again.
  Result<void> append(const std::vector<PinEntry>& entries);

  // The latest that holds for a tool, or null.
  const PinEntry* held(const std::string& origin, const std::string& tool) const;
  // The latest that waits for a tool and is not approved since, or null.
  const PinEntry* waiting(const std::string& origin, const std::string& tool) const;
  std::vector<const PinEntry*> all_held() const;
  std::vector<const PinEntry*> all_waiting() const;

 private:
  using Key = std::pair<std::string, std::string>;  // origin, tool
  explicit PinFile(Fd file) : file_(std::move(file)) {}
  Result<bool> read_on();  // with the lock held
  void take(PinEntry entry);

  Fd file_;
  size_t read_ = 0;  // bytes, whole lines
  std::map<Key, PinEntry> held_;
  std::map<Key, PinEntry> waiting_;
};

}  // namespace gatehouse::mcp
