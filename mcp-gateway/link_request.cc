#include "mcp-gateway/link_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/credential_forms.h"
#include "proxy/judgement.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kFirstWithoutSessions = "2026-07-28";
constexpr std::string_view kFirstWithVersionField = "2025-06-18";
constexpr std::string_view kSentinelBegin = "=?base64?";
constexpr std::string_view kSentinelEnd = "?=";

// RFC 9110 section 5.6.2.
bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::string head_of(std::string_view method, const LinkPlace& place) {
  std::string head;
  head.append(method).append(" ").append(place.path).append(" HTTP/1.1\r\n");
  add(head, "Host", place.host);
  add(head, "User-Agent", fmt::format("gatehouse/{}", GATEHOUSE_VERSION));
  add(head, "Accept-Encoding", "identity");
  return head;
}

void add_session(std::string& head, const LinkSession& session) {
  if (!session.id.empty()) add(head, "Mcp-Session-Id", session.id);
  if (session.revision >= kFirstWithVersionField) add(head, "MCP-Protocol-Version", session.revision);
}

// What of a message stands in the head, too.
void add_mirrored(std::string& head, const Outgoing& message) {
  add(head, "MCP-Protocol-Version", message.revision);
  if (!message.method.empty()) add(head, "Mcp-Method", mirrored(message.method));
  if (!message.name.empty()) add(head, "Mcp-Name", mirrored(message.name));
  for (const auto& [name, value] : message.parameters) {
    // A tool with another one is not listed; the server says no to a call without it.
    if (is_token(name)) add(head, "Mcp-Param-" + name, mirrored(value));
  }
}

}  // namespace

bool is_stateless(std::string_view revision) { return revision >= kFirstWithoutSessions; }

std::string post_request(const LinkPlace& place, const LinkSession& session, const Outgoing& message) {
  std::string_view body = message.line;
  while (body.ends_with('\n')) body.remove_suffix(1);
  std::string bytes = head_of("POST", place);
  if (is_stateless(message.revision)) {
    add_mirrored(bytes, message);
  } else {
    add_session(bytes, {session.id, message.revision});
  }
  if (!message.trace.empty()) add(bytes, proxy::kTraceField, message.trace);
  add(bytes, "Content-Type", "application/json");
  add(bytes, "Accept", "application/json, text/event-stream");
  add(bytes, "Content-Length", std::to_string(body.size()));
  add(bytes, "Connection", "close");
  return bytes.append("\r\n").append(body);
}

std::string stream_request(const LinkPlace& place, const LinkSession& session, std::string_view last_id) {
  std::string bytes = head_of("GET", place);
  add_session(bytes, session);
  add(bytes, "Accept", "text/event-stream");
  if (!last_id.empty()) add(bytes, "Last-Event-ID", last_id);
  add(bytes, "Connection", "close");
  return bytes.append("\r\n");
}

std::string farewell_request(const LinkPlace& place, const LinkSession& session) {
  std::string bytes = head_of("DELETE", place);
  add_session(bytes, session);
  add(bytes, "Connection", "close");
  return bytes.append("\r\n");
}

std::string mirrored(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }) &&
                     (text.empty() || (!blank(text.front()) && !blank(text.back()))) &&
                     !(text.starts_with(kSentinelBegin) && text.ends_with(kSentinelEnd));
  if (plain) return std::string(text);
  return fmt::format("{}{}{}", kSentinelBegin, proxy::base64(text), kSentinelEnd);
}

}  // namespace gatehouse::mcp
