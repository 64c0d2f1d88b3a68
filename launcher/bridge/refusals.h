// What the bridge refused, as audit rows. A guest can ask thousands of times a second, so repeats are counted: the
// first refusal of a kind gets its row at once, the rest of that second one more row with their number. Nothing goes
// uncounted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/audit/event.h"

namespace gatehouse::bridge {

inline constexpr size_t kMaxRefusalsTold = 64;  // kinds with a row of their own a second; the others share one

// Something a guest may not do, or did wrong.
struct Refusal {
  uint32_t port = 0;   // on the host's side; 0 when it is not about one port
  std::string rule;    // "vsock.port", "vsock.service", "vsock.credit", "vsock.limit", "vsock.packet", "vsock.ring"
  std::string reason;  // for the row; the first one of a kind is kept
};

class Refusals {
 public:
  // The row to write now, none when this one is only counted.
  std::vector<audit::NetEvent> add(const Refusal& refusal);

  // Ends the second: the rows for what was counted meanwhile. To be called once a second while not quiet(), and at the
  // end.
  std::vector<audit::NetEvent> flush();

  // True when there is nothing to flush.
  bool quiet() const { return kinds_.empty() && others_ == 0; }

 private:
  struct Kind {
    std::string reason;
    uint64_t repeats = 0;
  };
  std::map<std::pair<std::string, uint32_t>, Kind> kinds_;
  uint64_t others_ = 0;
};

}  // namespace gatehouse::bridge
