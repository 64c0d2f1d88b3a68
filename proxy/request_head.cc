#include "proxy/request_head.h"

#include <algorithm>

#include "proxy/authority.h"
#include "proxy/head_fields.h"

namespace gatehouse::proxy {

namespace {

using Checked = tl::expected<void, Refusal>;

tl::unexpected<Refusal> refused(std::string_view id, int status, std::string reason) {
  return tl::unexpected(Refusal{id, status, std::move(reason)});
}

Checked parse_version(std::string_view version, RequestHead& head) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") {
    head.minor_version = version.back() - '0';
    return {};
  }
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) && version[6] == '.' &&
      digit(version[7])) {
    return refused("http.version", 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  }
  return refused("http.version-malformed", 400, "the request line does not end in an HTTP version");
}

// What RFC 3986 allows in a URI, and the characters that clients in wide use leave unescaped although it does not: no
// reader takes those for structure. A backslash is one that some readers do.
Checked check_target_chars(std::string_view target) {
  if (target.find('#') != std::string_view::npos) {
    return refused("http.target-fragment", 400, "the request target has a fragment");
  }
  if (target.find_first_of("\\\"<>") != std::string_view::npos) {
    return refused("http.target", 400, "the request target has a character that must be percent-encoded");
  }
  return {};
}

// The effective host and port; a Host field, if any, must say the same.
Checked settle_authority(Authority authority, const std::optional<Authority>& host_field, uint16_t default_to,
                         RequestHead& head) {
  if (authority.port == 0) authority.port = default_to;
  head.host = std::move(authority.host);
  head.port = authority.port;
  if (!host_field) return {};
  const uint16_t host_port = host_field->port != 0 ? host_field->port : default_to;
  if (host_field->host != head.host || host_port != head.port) {
    return refused("http.host-disagrees", 400, "the request target and the Host field name different hosts");
  }
  return {};
}

tl::expected<std::optional<Authority>, Refusal> parse_host_field(const RequestHead& head) {
  std::optional<Authority> host;
  for (const Field& field : head.fields) {
    if (!same_token(field.name, "Host")) continue;
    if (host) return refused("http.host-twice", 400, "Host is given twice");
    auto authority = parse_authority(field.value);
    if (!authority) return tl::unexpected(authority.error());
    host = std::move(*authority);
  }
  const bool needed = head.minor_version >= 1 || head.form == RequestHead::Form::origin;
  if (!host && needed) return refused("http.host-missing", 400, "there is no Host field");
  return host;
}

Checked parse_absolute(std::string_view target, const std::optional<Authority>& host_field, RequestHead& head) {
  const size_t colon = target.find("://");
  if (!same_token(target.substr(0, colon), to_string(head.scheme))) {
    return refused("http.target-scheme", 400, "the scheme of the request target is not the connection's");
  }
  target.remove_prefix(colon + 3);
  const size_t path = std::min(target.find_first_of("/?"), target.size());
  auto authority = parse_authority(target.substr(0, path));
  if (!authority) return tl::unexpected(authority.error());
  head.path = target.substr(path);
  // RFC 9112 section 3.2.4: that is "*", the server as a whole, of which no rule speaks.
  if (head.path.empty() && head.method == "OPTIONS") {
    return refused("http.target-form", 400, "OPTIONS of a whole server: there is no path to judge");
  }
  if (!head.path.starts_with('/')) head.path.insert(0, "/");
  return settle_authority(std::move(*authority), host_field, default_port(head.scheme), head);
}

// RFC 9110 section 9.3.6: CONNECT names host and port, and no body has a meaning. Its Host is nobody's business:
// nothing of it is forwarded, and what is said within the tunnel is judged by the target. (Node's http.request() names
// the proxy.)
Checked parse_connect(RequestHead& head) {
  auto authority = parse_authority(head.target);
  if (!authority) return tl::unexpected(authority.error());
  if (authority->port == 0) return refused("http.connect-port", 400, "the target of CONNECT names no port");
  const uint16_t port = authority->port;
  return settle_authority(std::move(*authority), std::nullopt, port, head);
}

RequestHead::Form form_of(const RequestHead& head) {
  if (head.method == "CONNECT") return RequestHead::Form::authority;
  return head.target.starts_with('/') ? RequestHead::Form::origin : RequestHead::Form::absolute;
}

Checked parse_target(RequestHead& head) {
  if (auto ok = check_target_chars(head.target); !ok) return ok;
  head.form = form_of(head);
  if (head.form == RequestHead::Form::absolute && head.target.find("://") == std::string::npos) {
    return refused("http.target-form", 400, "the request target is neither a path nor an absolute URL");
  }
  const auto host_field = parse_host_field(head);
  if (!host_field) return tl::unexpected(host_field.error());
  switch (head.form) {
    case RequestHead::Form::authority:
      return parse_connect(head);
    case RequestHead::Form::absolute:
      return parse_absolute(head.target, *host_field, head);
    case RequestHead::Form::origin:
      break;
  }
  head.path = head.target;
  return settle_authority(**host_field, std::nullopt, default_port(head.scheme), head);
}

Checked parse_body(RequestHead& head) {
  const auto declared = declared_framing(head.fields, head.minor_version);
  if (!declared) return tl::unexpected(declared.error());
  if (head.method == "CONNECT" && (declared->chunked || declared->content_length)) {
    return refused("http.connect-body", 400, "CONNECT has no body");
  }
  if (declared->chunked) head.framing = {Framing::Kind::chunked, 0};
  if (declared->content_length) head.framing = {Framing::Kind::length, *declared->content_length};
  return {};
}

Checked parse_connection(RequestHead& head) {
  head.keep_alive = wants_keep_alive(head.fields, head.minor_version);
  head.takes_trailers = lists_token(head.fields, "TE", "trailers");
  head.wants_upgrade =
      find_field(head.fields, "Upgrade") != nullptr && lists_token(head.fields, "Connection", "Upgrade");
  for (const Field& field : head.fields) {
    if (!same_token(field.name, "Expect") || head.minor_version == 0) continue;
    if (!same_token(field.value, "100-continue")) {
      return refused("http.expectation", 417, "an expectation other than 100-continue is not supported");
    }
    head.expects_continue = head.framing.kind != Framing::Kind::none;
  }
  return {};
}

}  // namespace

// method SP request-target SP HTTP-version, with exactly those spaces.
tl::expected<void, Refusal> parse_request_line(std::string_view line, RequestHead& head) {
  if (line.starts_with("PRI * HTTP/2")) {
    return refused("http.http2-preface", 505, "the client speaks HTTP/2 without having negotiated it");
  }
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos) return refused("http.request-line", 400, "the request line has no target");
  if (first == last) return refused("http.version-missing", 400, "the request line names no HTTP version (HTTP/0.9)");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (head.method.empty() || head.target.empty() || head.target.find(' ') != std::string::npos) {
    return refused("http.request-line", 400, "the request line is not three words with one space between");
  }
  const auto token = [](unsigned char c) { return is_token_char(c); };
  if (!std::all_of(head.method.begin(), head.method.end(), token)) {
    return refused("http.method", 400, "the method has a character that is not allowed");
  }
  if (std::any_of(head.method.begin(), head.method.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
    return refused("http.method-case", 400, "the method has lower-case letters");
  }
  return parse_version(line.substr(last + 1), head);
}

tl::expected<void, Refusal> parse_request_fields(const HeadBuffer& buffer, RequestHead& head) {
  head.fields = split_fields(buffer.bytes().substr(buffer.start_line().size() + 2));
  if (auto ok = parse_target(head); !ok) return ok;
  if (auto ok = parse_body(head); !ok) return ok;
  if (auto ok = parse_connection(head); !ok) return ok;
  return confirm_request(buffer.bytes(), head);
}

}  // namespace gatehouse::proxy
