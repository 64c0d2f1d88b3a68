// The exec agent's protocol on the guest's vsock port 1024: frames (frame.h) on one connection per command.
//
//   host                                guest
//   hello   {"version":1}           ->
//                                   <-  hello {"version":1}
//   boot    Boot                    ->                        first connection of a boot only: session CA, clock, names
//                                   <-  ready {}
//   exec    Exec                    ->
//   stdin_data, stdin_end           ->
//   signal  {"number":15}           ->
//   resize  {"rows":24,"columns":80} ->
//                                   <-  stdout_data, stderr_data (a pty sends stdout_data only)
//                                   <-  exit {"code":0} | failed {"code":127,"message":"..."}
//
// A command killed by signal N exits with 128+N. When the host closes the connection the command's whole process group
// is killed. A side that reads something else than this closes the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::ipc {

inline constexpr int kAgentProtocolVersion = 1;

// vsock ports (see the design's wire formats).
inline constexpr uint32_t kDnsPort = 53;
inline constexpr uint32_t kTcpPort = 1080;
inline constexpr uint32_t kMcpPort = 1081;
inline constexpr uint32_t kAgentPort = 1024;

enum class AgentFrame : uint8_t {
  hello = 1,
  boot = 2,
  ready = 3,
  exec = 4,
  stdin_data = 5,
  stdin_end = 6,
  signal = 7,
  resize = 8,
  stdout_data = 9,
  stderr_data = 10,
  exit = 11,
  failed = 12,
};

// A file that is there from the boot on: mode 0600, owned by root, folders made as needed (0700).
struct BootFile {
  std::string path;  // absolute, no "." or ".." in it; the image has no such file
  std::string content;
};

struct Boot {
  std::string hostname;        // name of the session
  std::string ca_certificate;  // PEM of the session CA, to be trusted by everything in the guest
  int64_t time_us = 0;         // host's clock, microseconds since 1970 UTC
  std::vector<BootFile> files = {};
};

struct TerminalSize {
  uint16_t rows = 24;
  uint16_t columns = 80;
};

struct Exec {
  std::vector<std::string> argv;                         // at least one; argv[0] is looked up in PATH
  std::vector<std::pair<std::string, std::string>> env;  // besides the guest's own defaults
  std::string directory;                                 // working directory; empty is the image's default
  std::optional<TerminalSize> terminal;                  // present: run on a pty of this size
};

struct Exit {
  int code = 0;
  std::string message;  // for AgentFrame::failed: why the command could not be started
};

// Payloads are JSON objects. Reading refuses unknown keys, wrong types and values out of range; bytes are hostile.
std::string encode_hello();
Result<void> decode_hello(std::string_view payload);  // refuses another version
std::string encode(const Boot& boot);
Result<Boot> decode_boot(std::string_view payload);
std::string encode(const Exec& exec);
Result<Exec> decode_exec(std::string_view payload);
std::string encode(const TerminalSize& size);
Result<TerminalSize> decode_terminal_size(std::string_view payload);
std::string encode_signal(int number);
Result<int> decode_signal(std::string_view payload);  // 1 to 64
std::string encode(const Exit& exit);
Result<Exit> decode_exit(std::string_view payload);  // code 0 to 255

}  // namespace gatehouse::ipc
