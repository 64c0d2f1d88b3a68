#include "mcp-gateway/catalogue.h"

#include <algorithm>

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kShownMembers[] = {"title", "description", "inputSchema", "outputSchema", "annotations"};

}  // namespace

std::string pin_of(const Value& definition) { return sha256_hex(json::write(definition)); }

Value shown_definition(std::string_view server, const Value& definition) {
  Value shown = Value::object();
  for (const auto member : kShownMembers) {
    if (const Value* value = find(definition, member)) shown[std::string(member)] = *value;
  }
  const std::string* name = find_text(definition, "name");
  shown["name"] = shown_name(server, name == nullptr ? "" : *name);
  return shown;
}

bool Catalogue::replace(const std::string& server, std::vector<Tool> tools) {
  std::map<std::string, Tool, std::less<>> next;
  for (auto& tool : tools) {
    std::string shown = shown_name(server, tool.name);
    const auto other = tools_.find(shown);
    if (other != tools_.end() && other->second.server != server) continue;  // whoever was there first keeps the name
    next.emplace(std::move(shown), std::move(tool));
  }
  bool changed = false;
  for (auto at = tools_.begin(); at != tools_.end();) {
    if (at->second.server != server) {
      ++at;
      continue;
    }
    const auto same = next.find(at->first);
    changed |= same == next.end() || same->second.pin != at->second.pin;
    if (same != next.end() && same->second.pin == at->second.pin) {
      next.erase(same);
      ++at;
    } else {
      at = tools_.erase(at);
    }
  }
  changed |= !next.empty();
  tools_.merge(next);
  return changed;
}

const Tool* Catalogue::find(std::string_view shown) const {
  const auto found = tools_.find(shown);
  return found == tools_.end() ? nullptr : &found->second;
}

std::vector<const Tool*> Catalogue::page(std::string_view after, size_t count) const {
  std::vector<const Tool*> page;
  for (auto at = after.empty() ? tools_.begin() : tools_.upper_bound(after); at != tools_.end() && page.size() < count;
       ++at) {
    page.push_back(&at->second);
  }
  return page;
}

}  // namespace gatehouse::mcp
