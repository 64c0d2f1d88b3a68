// What the proxy shows gatehouse-git-gate of a push, and what that says: frames (common/ipc/frame.h) on a Unix stream
// socket, one push a connection. Back-pressure is the socket's own.
//
//   proxy                                gate
//   question {"version":1, ...}      ->
//   data     bytes of the body       ->      any number, as the guest sent them
//   end                              ->
//                                    <-  read     body of a request to git-upload-pack of the same repository, empty
//                                                 for what that offers; after the end, one at a time
//   came     bytes of its answer     ->      any number
//   came_end empty, or why not       ->      the answer is whole, with status 200; or there is none
//                                    <-  refs [...]        some of the refs' verdicts; any number of frames
//                                    <-  verdict {...}     once, at any time after the question; then both close
//
// Questions and verdicts are JSON, in which text of the guest's is printable ASCII (log::printable). A side that reads
// something else than this closes the connection; the proxy then denies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/dlp/finding.h"
#include "common/git/push_request.h"

namespace gatehouse::git {

inline constexpr char kGitProgram[] = "/usr/bin/git";  // by which the gate reads packs

inline constexpr int kGateProtocolVersion = 1;
inline constexpr size_t kMaxGateFrameBytes = 1 << 20;
inline constexpr size_t kGateDataBytes = 256 * 1024;  // of one data frame
inline constexpr size_t kMaxGateFindings = 64;        // told of one push; the text says how many more there were
inline constexpr size_t kGateRefsInFrame = 100;       // their words, escaped twice, fit

enum class GateFrame : uint8_t {
  question = 1,
  data = 2,
  end = 3,
  verdict = 4,
  refs = 5,
  read = 6,
  came = 7,
  came_end = 8
};

struct PushQuestion {
  std::string trace_id;
  std::string host;  // as judged
  uint16_t port = 443;
  std::string repository;  // its path, without ".git"
  std::string encoding;    // Content-Encoding of the body
};

// What the scanner found, and where in the push.
struct PushFinding {
  dlp::Finding finding;
  std::string object;  // id; empty for refs and push options
  std::string path;    // one by which the object can be reached; empty when none is known
  uint64_t line = 0;   // from 1; 0 when it is not known
};

struct RefVerdict {
  RefCommand command;
  bool forced = false;
  Decision decision;
};

struct PushVerdict {
  Decision decision;  // of the whole push: nothing of it goes unless all of it may
  std::vector<RefVerdict> refs;
  std::vector<PushFinding> findings;  // strictest first
  uint64_t objects = 0;
  uint64_t bytes = 0;  // of the pack
  std::string text;    // for the pusher's terminal; lines
};

std::string encode(const PushQuestion& question);
std::string encode(const PushVerdict& verdict);  // several frames; each text is shortened
Result<PushQuestion> decode_question(std::string_view payload);

// Puts a verdict together from its frames.
class VerdictReader {
 public:
  // The verdict once its last frame is there, nothing before; an error for a frame that is none of them.
  Result<std::optional<PushVerdict>> take(uint8_t type, std::string_view payload);

 private:
  std::vector<RefVerdict> refs_;
};

// "blob 1234567 (src/config.env line 3)", in words.
std::string place_of(const PushFinding& finding);

}  // namespace gatehouse::git
