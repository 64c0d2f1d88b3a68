// How a gate asks for a person's approval, and how that person is heard: frames (common/ipc/frame.h) with JSON payloads
// on two Unix sockets of the launcher, one for gates, one for `gatehouse approvals`.
//
//   gate:     wanted ->, <- decided;  withdrawn -> when nobody waits any more
//   person:   list ->, <- pending;  decide ->, <- reply;  reload (the policy) ->, <- reply
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::approval {

enum class FrameType : uint8_t { wanted = 1, withdrawn, decided, list, pending, decide, reply, reload };

inline constexpr size_t kMaxTextBytes = 512;  // of each text; longer ones are cut
inline constexpr size_t kMaxPending = 32;     // of a session; what comes above is denied at once

// For how long a decision holds.
enum class Scope { once, session };
std::string_view to_string(Scope scope);

// What a gate asks. All texts may come from the guest: printable before they are shown.
struct Wanted {
  uint64_t id = 0;       // the gate's own, to tell its questions apart
  std::string trace_id;  // of its audit rows
  std::string rule;      // the policy's rule that asks
  std::string reason;    // its words
  std::string channel;   // "https", "git"...
  std::string what;      // "POST https://api.example.com/x"
  std::string detail;    // "1234 bytes of application/json"
  std::string key;       // what is the same when asked again: a decision for the session holds for it; empty: for none
  std::chrono::milliseconds time{0};  // after which it is denied
};

struct Decided {
  uint64_t id = 0;
  bool allowed = false;
  Scope scope = Scope::once;
  std::string by;  // "alice", or empty: nobody (`reason` says why)
  std::string reason;
};

// One question as it is listed.
struct Pending {
  uint64_t number = 0;
  std::chrono::milliseconds waited{0};
  std::chrono::milliseconds left{0};
  Wanted wanted;
};

struct Decide {
  uint64_t number = 0;
  bool allow = false;
  Scope scope = Scope::once;
};

struct Reply {
  bool done = false;
  std::string message;
};

std::string encode(const Wanted& wanted);  // whole frames
std::string encode_withdrawn(uint64_t id);
std::string encode(const Decided& decided);
std::string encode_list();
std::string encode_reload();
std::string encode(const std::vector<Pending>& pending);
std::string encode(const Decide& decide);
std::string encode(const Reply& reply);

// From a frame's payload. Refuses what is no JSON object with just these members of their types.
Result<Wanted> parse_wanted(std::string_view payload);
Result<uint64_t> parse_withdrawn(std::string_view payload);
Result<Decided> parse_decided(std::string_view payload);
Result<std::vector<Pending>> parse_pending(std::string_view payload);
Result<Decide> parse_decide(std::string_view payload);
Result<Reply> parse_reply(std::string_view payload);

}  // namespace gatehouse::approval
