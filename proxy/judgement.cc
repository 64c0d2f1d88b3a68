#include "proxy/judgement.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "common/base/ip_address.h"
#include "common/base/log.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kToolsRule = "mcp.server";

Decision deny(std::string rule, std::string reason) { return {Verdict::deny, std::move(rule), std::move(reason)}; }

std::string quoted(std::string_view name) {
  return name.empty() ? "absent" : fmt::format("'{}'", log::printable(name));
}

// RFC 9110 section 7.8: an offer of HTTP/2 may be ignored. Anything else the client cannot do without.
bool is_ignorable_upgrade(const RequestHead& head) {
  const Field* upgrade = find_field(head.fields, "Upgrade");
  return upgrade != nullptr && same_token(upgrade->value, "h2c");
}

std::optional<Decision> judge_form(const Origin& origin, const RequestHead& head) {
  if (head.form == RequestHead::Form::authority || head.method == "CONNECT") {
    return deny("protocol.connect", "CONNECT is only understood as the first request to an explicit proxy port");
  }
  if (origin.way == Origin::Way::forward && head.form != RequestHead::Form::absolute) {
    return deny("protocol.form", "this port is an explicit proxy: send the absolute URL, or CONNECT for https");
  }
  if (head.wants_upgrade && !is_ignorable_upgrade(head)) {
    return deny("protocol.upgrade", "of connection upgrades WebSocket alone is supported, as RFC 6455 opens it");
  }
  return std::nullopt;
}

// Fields by which many servers (Rails, Symfony, ASP.NET, Express and others) take another method or path than the
// request line's: what is judged must be what is done.
std::optional<Decision> judge_overrides(const RequestHead& head) {
  constexpr std::string_view kMethods[] = {"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"};
  constexpr std::string_view kPaths[] = {"X-Original-URL", "X-Rewrite-URL"};
  for (const Field& field : head.fields) {
    const auto named = [&](std::string_view known) { return same_cgi_name(field.name, known); };
    const bool other_method =
        std::any_of(std::begin(kMethods), std::end(kMethods), named) && !same_token(field.value, head.method);
    const bool other_path = std::any_of(std::begin(kPaths), std::end(kPaths), named) && field.value != head.path;
    if (!other_method && !other_path) continue;
    return deny("http.override", fmt::format("the field {} asks for another {} than the request line", field.name,
                                             other_method ? "method" : "path"));
  }
  return std::nullopt;
}

std::optional<Decision> judge_names(const Origin& origin, const RequestHead& head) {
  if (origin.way == Origin::Way::forward || origin.way == Origin::Way::tools) return std::nullopt;
  // RFC 6066 section 3: an address is never sent as SNI.
  const auto& expected = origin.name ? *origin.name : origin.tls && !origin.sni.empty() ? origin.sni : head.host;
  const bool sni_agrees = !origin.tls || origin.sni == expected || (origin.sni.empty() && looks_like_ip(expected));
  if (!sni_agrees || head.host != expected) {
    return deny("name.mismatch", fmt::format("the names do not agree: {} {}, TLS SNI {}, HTTP Host {}",
                                             origin.way == Origin::Way::tunnel ? "CONNECT" : "DNS name",
                                             quoted(origin.name.value_or("")),
                                             origin.tls ? quoted(origin.sni) : "not used", quoted(head.host)));
  }
  if (head.port != origin.port) {
    return deny("name.mismatch",
                fmt::format("the request names port {} on a connection to port {}", head.port, origin.port));
  }
  return std::nullopt;
}

// What another rule of the policy's says of it, if that denies it.
std::optional<Decision> denied_by_http(const policy::Policy& policy, const RequestHead& head) {
  auto by_http = policy.judge(policy::HttpRequest{
      .scheme = scheme_of(head), .host = head.host, .port = head.port, .method = head.method, .path = head.path});
  if (by_http.verdict == Verdict::deny && by_http.rule_id != Decision{}.rule_id) return by_http;
  return std::nullopt;
}

// For an access token: at a server's own origin, and those that the policy lets issue tokens for it.
Decision judge_authorization(const policy::Policy& policy, const RequestHead& head) {
  const bool method = head.method == "POST" || head.method == "GET";
  for (const auto& server : policy.mcp_servers()) {
    if (!method || head.websocket || !server.endpoint || !server.oauth) continue;
    if (!server.oauth->trusts(*server.endpoint, head.host, head.port)) continue;
    if (auto denied = denied_by_http(policy, head)) return *denied;
    return {Verdict::allow, std::string(kAuthorizationRule),
            fmt::format("tokens for the server '{}' may be issued there", server.name)};
  }
  return deny(std::string(kAuthorizationRule),
              "no server of tools has this origin among its \"authorization_servers\"");
}

// The MCP gateway has judged the calls themselves. Where it may go the policy's servers say, whether or not a rule lets
// the guest go there too; a rule that denies it is everybody's.
Decision judge_tools(const policy::Policy& policy, const RequestHead& head) {
  if (is_for_authorization(head)) return judge_authorization(policy, head);
  const bool method = head.method == "POST" || head.method == "GET" || head.method == "DELETE";
  for (const auto& server : policy.mcp_servers()) {
    if (!method || head.websocket || !server.endpoint) continue;
    const auto& [host, port, path] = *server.endpoint;
    if (host != head.host || port != head.port || path != head.path) continue;
    if (auto denied = denied_by_http(policy, head)) return *denied;
    return {Verdict::allow, std::string(kToolsRule),
            fmt::format("the policy has the server '{}' of tools there", server.name)};
  }
  return deny(std::string(kToolsRule), "the policy has no server of tools there");
}

}  // namespace

bool is_for_authorization(const RequestHead& head) {
  const Field* purpose = find_field(head.fields, kPurposeField);
  return purpose != nullptr && purpose->value == kAuthorizationPurpose;
}

std::string_view scheme_of(const RequestHead& head) {
  if (!head.websocket) return to_string(head.scheme);
  return head.scheme == Scheme::https ? "wss" : "ws";
}

policy::HttpDecision judge_request(const policy::Policy& policy, const Origin& origin, const RequestHead& head) {
  if (origin.fault) return {*origin.fault, {}};
  if (auto refused = judge_form(origin, head)) return {*refused, {}};
  if (auto refused = judge_names(origin, head)) return {*refused, {}};
  if (auto refused = judge_overrides(head)) return {*refused, {}};
  if (origin.way == Origin::Way::tools) return {judge_tools(policy, head), {}};
  // What goes no further than this proxy meets no condition.
  Fields forwarded;
  std::vector<policy::HeaderField> fields;
  if (policy.asks_for_fields()) {
    forwarded = head.fields;
    keep_end_to_end(forwarded);
    for (const auto& [name, value] : forwarded) fields.push_back({name, value});
  }
  return policy.judge(policy::HttpRequest{.scheme = scheme_of(head),
                                          .host = head.host,
                                          .port = target_port(origin, head),
                                          .method = head.method,
                                          .path = head.path,
                                          .fields = fields});
}

uint16_t target_port(const Origin& origin, const RequestHead& head) {
  const bool named = origin.way == Origin::Way::forward || origin.way == Origin::Way::tools;
  return named ? head.port : origin.port;
}

std::string_view without_query(std::string_view path) { return path.substr(0, path.find_first_of("?#")); }

std::string channel_of(const Origin& origin) { return origin.uninspected ? "tls" : origin.tls ? "https" : "http"; }

}  // namespace gatehouse::proxy
