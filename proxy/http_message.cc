#include "proxy/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "proxy/denial.h"

namespace gatehouse::proxy {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// The members of a comma-separated list, without whitespace around them; empty ones are left out.
std::vector<std::string_view> list_members(std::string_view list) {
  std::vector<std::string_view> members;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view member = list.substr(0, comma);
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t')) member.remove_prefix(1);
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t')) member.remove_suffix(1);
    if (!member.empty()) members.push_back(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return members;
}

bool starts_with_token(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && same_token(name.substr(0, prefix.size()), prefix);
}

// What concerns this connection only, whether or not Connection names it (RFC 9110 section 7.6.1), and what the
// serializer writes itself.
// Hop-by-hop fields; those that only this proxy may say: in a response they would pass for one of its denials; and what
// sends clients elsewhere than where requests are judged (RFC 7838).
bool stays_here(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"Connection", "Expect",  "Keep-Alive",        "TE",
                                              "Trailer",    "Upgrade", "Transfer-Encoding", "Content-Length",
                                              "Alt-Svc",    "Alt-Used"};
  return starts_with_token(name, "Proxy-") || starts_with_token(name, "Gatehouse-") ||
         std::any_of(std::begin(kOwn), std::end(kOwn), [&](std::string_view own) { return same_token(own, name); });
}

// Tells of each field whether it travels on.
class EndToEnd {
 public:
  explicit EndToEnd(const Fields& fields) {
    for (const Field& field : fields) {
      if (!same_token(field.name, "Connection")) continue;
      const auto members = list_members(field.value);
      named_.insert(named_.end(), members.begin(), members.end());
    }
  }
  bool operator()(const Field& field) const {
    return !stays_here(field.name) && std::none_of(named_.begin(), named_.end(),
                                                   [&](std::string_view name) { return same_token(name, field.name); });
  }

 private:
  std::vector<std::string_view> named_;  // by Connection
};

// The fields that travel on, as "Name: value\r\n" lines.
void append_end_to_end(std::string& out, const Fields& fields, std::string_view besides) {
  const EndToEnd travels(fields);
  for (const Field& field : fields) {
    if (same_token(field.name, besides) || !travels(field)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
}

void append_framing(std::string& out, const Framing& framing) {
  if (framing.kind == Framing::Kind::length) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", framing.length);
  } else if (framing.kind == Framing::Kind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
}

std::string status_line(const ResponseHead& head) {
  return fmt::format("HTTP/1.1 {} {}\r\n", head.status, head.reason.empty() ? status_phrase(head.status) : head.reason);
}

}  // namespace

bool same_token(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool same_cgi_name(std::string_view name, std::string_view known) {
  const auto hyphen = [](char c) { return c == '_' ? '-' : lower(c); };
  return name.size() == known.size() &&
         std::equal(name.begin(), name.end(), known.begin(), [&](char a, char b) { return hyphen(a) == hyphen(b); });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

const Field* find_field(const Fields& fields, std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return same_token(field.name, name); });
  return found == fields.end() ? nullptr : &*found;
}

bool lists_token(const Fields& fields, std::string_view name, std::string_view token) {
  for (const Field& field : fields) {
    if (!same_token(field.name, name)) continue;
    for (const std::string_view member : list_members(field.value)) {
      if (same_token(member, token)) return true;
    }
  }
  return false;
}

std::string joined_values(const Fields& fields, std::string_view name) {
  std::string joined;
  for (const Field& field : fields) {
    if (!same_cgi_name(field.name, name)) continue;
    if (!joined.empty()) joined += ", ";
    joined += field.value;
  }
  return joined;
}

void keep_end_to_end(Fields& fields) {
  const Fields all = std::exchange(fields, {});
  const EndToEnd travels(all);
  std::copy_if(all.begin(), all.end(), std::back_inserter(fields), travels);
}

std::string_view to_string(Scheme scheme) { return scheme == Scheme::https ? "https" : "http"; }

uint16_t default_port(Scheme scheme) { return scheme == Scheme::https ? 443 : 80; }

bool has_body(const RequestHead& head) {
  return head.framing.kind == Framing::Kind::chunked ||
         (head.framing.kind == Framing::Kind::length && head.framing.length > 0);
}

// No Via (RFC 9110 section 7.6.3): to the upstream the gate stands for the client, and many origins stop compressing
// for a client that seems to be a proxy.
std::string serialize_request_head(const RequestHead& head, bool close) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}", head.method, head.path, head.host);
  if (head.port != default_port(head.scheme)) fmt::format_to(std::back_inserter(out), ":{}", head.port);
  out.append("\r\n");
  append_end_to_end(out, head.fields, "Host");
  if (head.expects_continue) out.append("Expect: 100-continue\r\n");
  append_framing(out, head.framing);
  if (head.websocket) {
    fmt::format_to(std::back_inserter(out),
                   "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: {}\r\n{}",
                   head.websocket->key,
                   head.websocket->deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  }
  if (close) out.append("Connection: close\r\n");
  return out.append("\r\n");
}

Framing framing_for_guest(const RequestHead& request, const ResponseHead& response) {
  Framing framing = response.framing;
  const bool delimited_by_coding = framing.kind == Framing::Kind::until_close || framing.kind == Framing::Kind::chunked;
  if (delimited_by_coding) {
    framing.kind = request.minor_version == 0 ? Framing::Kind::until_close : Framing::Kind::chunked;
  }
  return framing;
}

std::string serialize_response_head(const ResponseHead& head, const Framing& framing, bool close) {
  std::string out = status_line(head);
  append_end_to_end(out, head.fields, "Content-Length");
  append_framing(out, framing);
  // RFC 9110 section 8.6 forbids Content-Length in 1xx and 204, and in a 2xx to CONNECT, which never comes here.
  const bool may_declare = framing.kind == Framing::Kind::none && head.status >= 200 && head.status != 204;
  if (may_declare && head.content_length) append_framing(out, {Framing::Kind::length, *head.content_length});
  if (close) out.append("Connection: close\r\n");
  return out.append("\r\n");
}

std::string serialize_interim_head(const ResponseHead& head) {
  std::string out = status_line(head);
  append_end_to_end(out, head.fields, "Content-Length");
  return out.append("\r\n");
}

std::string serialize_websocket_head(const ResponseHead& head) {
  std::string out = status_line(head);
  out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  append_end_to_end(out, head.fields, "Content-Length");
  return out.append("\r\n");
}

std::string chunk_prefix(size_t size) { return fmt::format("{:x}\r\n", size); }

void append_chunk(std::string& out, std::string_view bytes) {
  out.append(chunk_prefix(bytes.size())).append(bytes).append(kChunkSuffix);
}

std::string serialize_last_chunk(const Fields& trailers) {
  std::string out = "0\r\n";
  append_end_to_end(out, trailers, "Host");
  return out.append("\r\n");
}

}  // namespace gatehouse::proxy
