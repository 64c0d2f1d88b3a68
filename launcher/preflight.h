// What a session needs of this host, looked at one by one.
#pragma once

#include <string>
#include <vector>

namespace gatehouse::launcher {

struct Finding {
  enum class State {
    good,
    slower,   // a session runs without it
    missing,  // no session can run
  };
  State state = State::good;
  std::string subject;  // "QEMU"
  std::string detail;   // what was found, or what is wrong
  std::string remedy;   // what to do about it; empty when good
};

// Looks at everything; builds and starts nothing but QEMU's own list of devices.
std::vector<Finding> inspect_host();

// One line a finding, its remedy on the next.
std::string describe(const std::vector<Finding>& findings);
bool can_run(const std::vector<Finding>& findings);

}  // namespace gatehouse::launcher
