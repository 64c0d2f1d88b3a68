// The tools of all servers under names of their own: "server__tool".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"
#include "common/mcp/shown_name.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

// What the scanner has against a definition.
struct Suspicion {
  Decision why;
  bool approvable = false;  // a person may let it be shown: the policy warns of what was found, and does not deny it
};

struct Tool {
  std::string server;
  std::string name;  // the server's own
  std::string pin;   // hash of its whole definition
  Value whole;       // its definition as the server gives it
  Value definition;  // as it is shown: under its shown name, and without what the gateway does not carry
  std::optional<Suspicion> suspicion = {};
  bool name_is_clean = true;  // the scanner finds nothing in the name alone
};

class Catalogue {
 public:
  // Puts these in the place of all of that server's. True if what is shown has changed.
  bool replace(const std::string& server, std::vector<Tool> tools);

  const Tool* find(std::string_view shown_name) const;
  // Of at most `count` tools, those after the one named `after` ("" for the first), in an order that does not depend on
  // when servers come.
  std::vector<const Tool*> page(std::string_view after, size_t count) const;
  size_t size() const { return tools_.size(); }

 private:
  std::map<std::string, Tool, std::less<>> tools_;  // by shown name
};

// Lower-case hex SHA-256 of what a server says of a tool, whatever the order of members.
std::string pin_of(const Value& definition);

// A server's definition of a tool as the guest is shown it: its name, and all that is known to be read by clients; what
// the gateway does not carry (tasks, icons, metadata) is left out.
Value shown_definition(std::string_view server, const Value& definition);

}  // namespace gatehouse::mcp
