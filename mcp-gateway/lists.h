// The four lists of what a server has.
#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

namespace gatehouse::mcp {

enum class ListKind { tools, prompts, resources, templates };
inline constexpr ListKind kListKinds[] = {ListKind::tools, ListKind::prompts, ListKind::resources, ListKind::templates};

struct ListWords {
  std::string_view method;      // that asks for it
  std::string_view member;      // of the result, the list
  std::string_view key;         // of an entry, what tells it from others
  std::string_view capability;  // of a server that has it
  std::string_view one;         // what an entry is called
  std::string_view changed;     // the notification that there are others now
};

inline constexpr ListWords kListWords[] = {
    {"tools/list", "tools", "name", "tools", "tool", "notifications/tools/list_changed"},
    {"prompts/list", "prompts", "name", "prompts", "prompt", "notifications/prompts/list_changed"},
    {"resources/list", "resources", "uri", "resources", "resource", "notifications/resources/list_changed"},
    {"resources/templates/list", "resourceTemplates", "uriTemplate", "resources", "resource template",
     "notifications/resources/list_changed"},
};
inline constexpr size_t kLists = std::size(kListWords);

constexpr const ListWords& words_of(ListKind kind) { return kListWords[static_cast<size_t>(kind)]; }

}  // namespace gatehouse::mcp
