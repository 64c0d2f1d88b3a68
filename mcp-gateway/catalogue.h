// What all servers have, under names that tell them apart: "server__tool", "server__prompt", "server+uri".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"
#include "common/mcp/shown_name.h"
#include "mcp-gateway/lists.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

// What the scanner has against a definition.
struct Suspicion {
  Decision why;
  bool approvable = false;  // a person may let it be shown: the policy warns of what was found, and does not deny it
};

struct Item {
  ListKind kind = ListKind::tools;
  std::string server;
  std::string name;   // the server's own; of resources the URI, of templates the URI template
  std::string shown;  // what clients call it by
  std::string pin;    // hash of its whole definition
  Value whole;        // its definition as the server gives it
  Value definition;   // as it is shown: under its shown name, and without what the gateway does not carry
  std::optional<Suspicion> suspicion = {};
  bool name_is_clean = true;  // the scanner finds nothing in the name alone
  bool task_only = false;     // a tool that its server runs as a task, and not otherwise
};

// Of one kind.
class Catalogue {
 public:
  // Puts these in the place of all of that server's. True if what is shown has changed.
  bool replace(const std::string& server, std::vector<Item> items);

  const Item* find(std::string_view shown_name) const;
  // Of at most `count` items, those after the one named `after` ("" for the first), in an order that does not depend on
  // when servers come.
  std::vector<const Item*> page(std::string_view after, size_t count) const;
  size_t size() const { return items_.size(); }

 private:
  std::map<std::string, Item, std::less<>> items_;  // by shown name
};

// Lower-case hex SHA-256 of what a server says of a tool, whatever the order of members.
std::string pin_of(const Value& definition);

// How a server's names are made others' to tell from: "server__name", and before a URI "server+", since clients take it
// for the scheme's beginning (RFC 3986 section 3.1; '_' is shown as '.' there, and "s.." stands in front of a name that
// begins with no letter). `own`: as they are.
std::string shown_as(ListKind kind, std::string_view server, std::string_view name, bool own);
// A server's own URI behind a shown one, if that is of this server.
std::optional<std::string> uri_of(std::string_view server, std::string_view shown, bool own);

// A server's definition as the guest is shown it: its name, and all that is known to be read by clients; what the
// gateway does not carry (tasks, icons, metadata) is left out.
Value shown_definition(ListKind kind, std::string_view shown, const Value& definition);

// Puts shown URIs in the place of a server's own in what is about a resource: `content`, a block of content or one of
// "contents" of a resource that is read.
void show_uris(std::string_view server, Value& content);

}  // namespace gatehouse::mcp
