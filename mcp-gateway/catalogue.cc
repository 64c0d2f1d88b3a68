#include "mcp-gateway/catalogue.h"

#include <algorithm>

namespace gatehouse::mcp {

namespace {

// Of a definition, what clients are shown besides its name.
std::vector<std::string_view> shown_members(ListKind kind) {
  switch (kind) {
    case ListKind::tools:
      return {"title", "description", "inputSchema", "outputSchema", "annotations"};
    case ListKind::prompts:
      return {"title", "description", "arguments"};
    case ListKind::resources:
      return {"name", "title", "description", "mimeType", "size", "annotations"};
    case ListKind::templates:
      return {"name", "title", "description", "mimeType", "annotations"};
  }
  return {};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// It begins with a letter; ".." is in no other server's, as "__" is in no name.
std::string scheme_of(std::string_view server) {
  const char first = lower(server.front());
  std::string scheme(first >= 'a' && first <= 'z' ? "" : "s..");
  scheme += server;
  std::replace(scheme.begin(), scheme.end(), '_', '.');
  return scheme + '+';
}

}  // namespace

std::string pin_of(const Value& definition) { return sha256_hex(json::write(definition)); }

std::string shown_as(ListKind kind, std::string_view server, std::string_view name, bool own) {
  if (own) return std::string(name);
  const bool by_name = kind == ListKind::tools || kind == ListKind::prompts;
  return by_name ? shown_name(server, name) : scheme_of(server).append(name);
}

std::optional<std::string> uri_of(std::string_view server, std::string_view shown, bool own) {
  if (own) return std::string(shown);
  const std::string scheme = scheme_of(server);
  // Clients may write a scheme in small letters.
  const bool of_it = shown.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), shown.begin(),
                                                                [](char a, char b) { return lower(a) == lower(b); });
  if (!of_it) return std::nullopt;
  return std::string(shown.substr(scheme.size()));
}

Value shown_definition(ListKind kind, std::string_view shown, const Value& definition) {
  Value told = Value::object();
  for (const auto member : shown_members(kind)) {
    if (const Value* value = find(definition, member)) told[std::string(member)] = *value;
  }
  told[std::string(words_of(kind).key)] = shown;
  return told;
}

void show_uris(std::string_view server, Value& content) {
  if (!content.is_object()) return;
  if (const std::string* uri = find_text(content, "uri")) content["uri"] = scheme_of(server) + *uri;
  if (const auto resource = content.find("resource"); resource != content.end()) show_uris(server, *resource);
}

bool Catalogue::replace(const std::string& server, std::vector<Item> items) {
  std::map<std::string, Item, std::less<>> next;
  for (auto& item : items) {
    std::string shown = item.shown;
    const auto other = items_.find(shown);
    if (other != items_.end() && other->second.server != server) continue;  // whoever was there first keeps the name
    next.emplace(std::move(shown), std::move(item));
  }
  bool changed = false;
  for (auto at = items_.begin(); at != items_.end();) {
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
      at = items_.erase(at);
    }
  }
  changed |= !next.empty();
  items_.merge(next);
  return changed;
}

const Item* Catalogue::find(std::string_view shown) const {
  const auto found = items_.find(shown);
  return found == items_.end() ? nullptr : &found->second;
}

std::vector<const Item*> Catalogue::page(std::string_view after, size_t count) const {
  std::vector<const Item*> page;
  for (auto at = after.empty() ? items_.begin() : items_.upper_bound(after); at != items_.end() && page.size() < count;
       ++at) {
    page.push_back(&at->second);
  }
  return page;
}

}  // namespace gatehouse::mcp
