// What stands against showing a tool although the policy would let it be called: it says something else of itself than
// what was approved, it looks like another server's tool, or the scanner found something in it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/verdict.h"
#include "common/mcp/pin_file.h"
#include "mcp-gateway/catalogue.h"

namespace gatehouse::mcp {

// Changes of one server that are kept for people to look at, by one gateway; what comes after is denied all the same.
inline constexpr size_t kMaxWaitingOfServer = 64;

class Pins {
 public:
  explicit Pins(PinFile file) : file_(std::move(file)) {}

  // Of servers and tools that the policy knows: whether it could ever let them be called.
  using MayCall = std::function<bool(const std::string& server, const std::string& tool)>;
  struct Judged {
    std::optional<Decision> objection;
    std::string approved_by;  // of a tool whose definition somebody has approved
  };
  // Of `tools`, all of `server`, in their order; `servers` are all that are declared. What is new and clean is pinned,
  // and what must wait for a person is put down, on the disk before this returns.
  std::vector<Judged> judge(const std::vector<policy::McpServer>& servers, const policy::McpServer& server,
                            const std::vector<Item>& tools, const MayCall& may_call);

  // Whether that tool was seen before.
  bool knows(const policy::McpServer& server, const std::string& tool) const;
  // Takes in what others have pinned or approved; whether there was anything. Once that fails everything is objected
  // to.
  bool refresh();

 private:
  struct Judgement;
  void fail_for_good(const Error& why);

  PinFile file_;
  std::string broken_;  // why the file is of no use any more
  std::map<std::string, size_t> waiting_written_;
};

// What a name comes to for whoever reads it quickly: letters in one case, no separators, look-alikes made one.
std::string look_of(std::string_view name);

}  // namespace gatehouse::mcp
