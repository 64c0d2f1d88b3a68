// What a server has: its lists, one after the other, and word that one of them is another now.
#include <algorithm>

#include "common/base/log.h"
#include "mcp-gateway/header_parameters.h"
#include "mcp-gateway/upstream.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxCursorBytes = 4096;

bool is_printable_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_key(ListKind kind, const std::string& text) {
  const bool of_address = kind == ListKind::resources || kind == ListKind::templates;
  return !text.empty() && text.size() <= (of_address ? kMaxUriBytes : kMaxToolNameBytes) && is_printable_ascii(text);
}

bool is_sound(ListKind kind, const Value& definition) {
  const std::string* key = find_text(definition, words_of(kind).key);
  if (key == nullptr || !is_key(kind, *key) || json::write(definition).size() > kMaxDefinitionBytes) return false;
  if (kind != ListKind::tools) return true;
  const Value* schema = find(definition, "inputSchema");
  // One that would have arguments put into headers in a way that is not allowed is dropped (2026-07-28, server/tools).
  return schema != nullptr && schema->is_object() && mirrored_parameters(*schema).has_value();
}

// Drops every one of those that share a name: which of them a request would reach is the server's guess.
void drop_namesakes(ListKind kind, std::vector<Value>& definitions) {
  const auto key = words_of(kind).key;
  std::map<std::string, size_t> names;
  for (const auto& definition : definitions) ++names[*find_text(definition, key)];
  std::erase_if(definitions, [&](const Value& definition) { return names[*find_text(definition, key)] > 1; });
}

}  // namespace

void Upstream::list_next() {
  if (listing_id_ != 0 || stage_ != Stage::ready || to_list_.empty()) return;
  listing_ = to_list_.front();
  to_list_.pop_front();
  if (!offers(words_of(listing_).capability)) return list_done({});
  definitions_.clear();
  pages_ = 0;
  ask_list({});
}

void Upstream::ask_list(std::string_view cursor) {
  ++pages_;
  listing_id_ = next_id_++;
  Value params = Value::object();
  if (!cursor.empty()) params["cursor"] = cursor;
  ask(listing_id_, std::string(words_of(listing_).method), std::move(params));
}

void Upstream::listed(const Message& message) {
  listing_id_ = 0;
  const auto& words = words_of(listing_);
  const bool tools = listing_ == ListKind::tools;
  const Value* entries = find(message.content, words.member);
  if (message.kind == Message::Kind::error || entries == nullptr || !entries->is_array()) {
    if (tools) return break_off("it does not list its tools");
    return list_done({});
  }
  for (const auto& definition : *entries) {
    if (is_sound(listing_, definition)) definitions_.push_back(definition);
  }
  if (tools && definitions_.size() > kMaxToolsOfServer) {
    return break_off(fmt::format("it has more than {} tools", kMaxToolsOfServer));
  }
  const Value* next = find(message.content, "nextCursor");
  if (next != nullptr && !next->is_null() && definitions_.size() < kMaxEntriesOfServer) {
    const auto* cursor = next->get_ptr<const std::string*>();
    if (cursor == nullptr || cursor->empty() || cursor->size() > kMaxCursorBytes || pages_ >= kMaxPagesOfServer) {
      return break_off(fmt::format("the list of its {} does not end", words.member));
    }
    return ask_list(*cursor);
  }
  if (!tools && definitions_.size() > kMaxEntriesOfServer) {
    log::warn("a server lists more than {} {}; the rest is not shown", kMaxEntriesOfServer, words.member);
    definitions_.resize(kMaxEntriesOfServer);
  }
  list_done(std::exchange(definitions_, {}));
}

void Upstream::list_done(std::vector<Value> definitions) {
  const auto kind = listing_;
  drop_namesakes(kind, definitions);
  list_next();
  callbacks_.listed(kind, std::move(definitions));
}

void Upstream::changed(std::string_view notification) {
  for (const auto kind : kListKinds) {
    if (words_of(kind).changed != notification || !offers(words_of(kind).capability)) continue;
    if (std::find(to_list_.begin(), to_list_.end(), kind) == to_list_.end()) to_list_.push_back(kind);
  }
  list_next();
}

// For word of changes; of the session era it comes unasked.
void Upstream::listen() {
  Value wanted = Value::object();
  for (const auto& [capability, flag] : {std::pair{"tools", "toolsListChanged"},
                                         {"prompts", "promptsListChanged"},
                                         {"resources", "resourcesListChanged"}}) {
    const Value* has = find(capabilities_, capability);
    const Value* tells = has == nullptr ? nullptr : find(*has, "listChanged");
    if (tells != nullptr && tells->is_boolean() && tells->get<bool>()) wanted[flag] = true;
  }
  if (!watched_.empty()) wanted["resourceSubscriptions"] = watched_;
  const auto before = std::exchange(listen_id_, 0);
  if (!wanted.empty()) {
    listen_id_ = next_id_++;
    ask(listen_id_, "subscriptions/listen", {{"notifications", std::move(wanted)}});
  }
  if (before != 0) tell("notifications/cancelled", {{"requestId", before}}, before);
}

void Upstream::heard_of_listening(const Message& message) {
  listen_id_ = 0;
  // One that does not tell is not asked again until there is more to ask for; one whose stream ended is.
  if (message.kind == Message::Kind::error) listen_refused_ = true;
}

}  // namespace gatehouse::mcp
