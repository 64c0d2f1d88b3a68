#include "mcp-gateway/catalogue.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kBetween = "__";
constexpr size_t kHashDigits = 8;
constexpr std::string_view kShownMembers[] = {"title", "description", "inputSchema", "outputSchema", "annotations"};

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const bool done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  assert(done);
  (void)done;
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

std::string shown_name(std::string_view server, std::string_view tool) {
  std::string name = fmt::format("{}{}{}", server, kBetween, tool);
  const bool fits = name.size() <= kMaxShownNameBytes && std::all_of(name.begin(), name.end(), is_name_byte);
  if (fits) return name;
  // A name that fits may look like this one of another tool; the digits are of the name itself, and catalogues refuse
  // what still meets.
  const std::string digits = sha256_hex(name).substr(0, kHashDigits);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_name_byte(c); }, '_');
  name.resize(std::min(name.size(), kMaxShownNameBytes - kHashDigits - 1));
  return name + "_" + digits;
}

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
