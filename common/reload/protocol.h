// How a gate gets another policy while it runs: frames (common/ipc/frame.h) on a socket that it inherits.
//
//   launcher -> gate:  piece... propose;  <- prepared or refused;  commit -> <- committed, or drop ->
//   gate -> its reader, when it stands alone:  read ->  <- piece... propose, or refused
//
// So that either every gate of a session judges by the new policy or none does, all that may fail comes before commit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::reload {

enum class FrameType : uint8_t {
  read = 1,   // the files are to be read again
  piece,      // of a policy's snapshot (Policy::snapshot)
  propose,    // that was all of it
  refused,    // why, in words
  prepared,   // it can be put in force
  commit,     // it is to be
  committed,  // it is
  drop,       // it will not be
};

std::string encode(FrameType type, std::string_view payload = {});
// The frames that propose it.
std::string encode_proposal(std::string_view snapshot);

}  // namespace gatehouse::reload
