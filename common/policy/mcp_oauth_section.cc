// "oauth" of a server of tools: who may issue tokens for it, and as which client they are asked for.
#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxClientIdBytes = 512;
constexpr size_t kMaxScopeBytes = 256;

Result<McpOrigin> parse_origin(const std::string& text) {
  const std::string shown = log::printable(text, 64);
  const auto url = parse_plain_url(text);
  if (!url) return fail("'{}' is no origin: {}", shown, url.error().message());
  if (url->scheme != "https")
    return fail("'{}' is no origin of an authorization server: it begins with https://", shown);
  if (text.find_first_of("/?#", text.find("://") + 3) != std::string::npos) {
    return fail("'{}' has more than an origin: it ends behind the host or its port", shown);
  }
  if (looks_like_ip(url->host)) return fail("'{}' has an address in place of its host's name", shown);
  return McpOrigin{url->host, url->port};
}

// RFC 6749 appendix A.4.
Result<std::string> parse_scope(const std::string& text) {
  const bool token =
      !text.empty() && text.size() <= kMaxScopeBytes &&
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (!token) return fail("'{}' is no scope: printable ASCII without spaces, '\"' and '\\'", log::printable(text, 64));
  return text;
}

// RFC 6749 appendix A.1, and no longer than anybody makes one.
bool is_client_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxClientIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

Result<McpOauth> read_mcp_oauth(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, Kind::object, "oauth", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpOauthKeys); !ok) return failed(ok);
  McpOauth oauth;
  if (const JsonNode* list = node.find("authorization_servers")) {
    auto origins = reader.parsed_strings<McpOrigin>(*list, "authorization_servers", parse_origin);
    if (!origins) return failed(origins);
    oauth.authorization_servers = std::move(*origins);
  }
  if (const JsonNode* grant = node.find("grant")) {
    const auto word = reader.word_of(*grant, "grant", kMcpGrantNames);
    if (!word) return failed(word);
    oauth.grant = *word == kMcpGrantNames[0] ? McpGrant::authorization_code : McpGrant::client_credentials;
  }
  if (const JsonNode* id = node.find("client_id")) {
    auto text = reader.text_of(*id, "client_id");
    if (!text) return failed(text);
    if (!is_client_id(*text)) {
      return reader.refuse(id->offset,
                           fmt::format("'client_id' is up to {} bytes of printable ASCII", kMaxClientIdBytes));
    }
    oauth.client_id = std::move(*text);
  }
  if (const JsonNode* secret = node.find("client_secret")) {
    auto name = reader.text_of(*secret, "client_secret");
    if (!name) return failed(name);
    if (oauth.client_id.empty()) {
      return reader.refuse(secret->offset, "'client_secret' is of no use without the \"client_id\" that it belongs to");
    }
    oauth.client_secret = std::move(*name);
  }
  if (oauth.grant == McpGrant::client_credentials && oauth.client_secret.empty()) {
    return reader.refuse(node.offset,
                         "the grant client_credentials needs a \"client_id\" and the name of its \"client_secret\"");
  }
  if (const JsonNode* scopes = node.find("scopes")) {
    auto list = reader.parsed_strings<std::string>(*scopes, "scopes", parse_scope);
    if (!list) return failed(list);
    oauth.scopes = std::move(*list);
  }
  return oauth;
}

}  // namespace gatehouse::policy
