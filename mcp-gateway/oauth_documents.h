// What resource servers and authorization servers say of how access tokens are had, read strictly: all of it is the
// server's, which is hostile. Pure. Errors are in words without a byte of it but for printed origins and scopes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/json/strict.h"
#include "common/policy/mcp.h"
#include "proxy/http_message.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxDocumentBytes = 64 << 10;
inline constexpr size_t kMaxOauthUrlBytes = 2048;
inline constexpr size_t kMaxTokenBytes = 16 << 10;
inline constexpr size_t kMaxScopes = 64;
inline constexpr size_t kMaxOauthScopeBytes = 256;
inline constexpr size_t kMaxOauthTextBytes = 4096;  // of an identifier or a code
inline constexpr size_t kMaxChallengeBytes = 8 << 10;
inline constexpr int64_t kMaxLifetimeSeconds = 365 * 86400;

// Of the scheme https, with a host's name, without user information and fragment.
struct OauthUrl {
  std::string host;  // lower case
  uint16_t port = 443;
  std::string path = "/";  // with the query

  static Result<OauthUrl> parse(std::string_view text);
  static OauthUrl of(const policy::McpEndpoint& endpoint);
  std::string authority() const;  // "host" or "host:8443"
  std::string origin() const { return "https://" + authority(); }
  std::string to_string() const { return origin() + path; }
  bool same_origin(const OauthUrl& other) const { return host == other.host && port == other.port; }
  bool operator==(const OauthUrl&) const = default;
};

using Scopes = std::vector<std::string>;
// Of words between spaces; nothing: it is no list of scopes (RFC 6749 section 3.3).
std::optional<Scopes> read_scopes(std::string_view text);
std::string join_scopes(const Scopes& scopes);
bool contains_scope(const Scopes& scopes, std::string_view scope);

// The Bearer challenge of a 401 or 403 (RFC 6750 section 3, RFC 9728 section 5.1). What is malformed is as if it were
// not there.
struct Challenge {
  std::string error;
  std::optional<Scopes> scopes;
  std::optional<OauthUrl> resource_metadata;
};
Challenge read_challenge(const proxy::Fields& fields);

// RFC 9728 section 2. `server`: of whom it is; its "resource" must be that URL or lead to it.
struct ResourceMetadata {
  std::string resource;
  std::vector<std::string> issuers;  // at least one
  std::optional<Scopes> scopes;
};
Result<ResourceMetadata> read_resource_metadata(std::string_view text, const OauthUrl& server);
// Where it may be, in this order.
std::vector<OauthUrl> places_of_resource_metadata(const OauthUrl& server, const Challenge& challenge);

enum class ClientAuthentication { none, basic, post };
inline constexpr std::string_view kClientAuthenticationNames[] = {"none", "client_secret_basic", "client_secret_post"};

// RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3. Its "issuer" must be the text that it was asked for.
struct IssuerMetadata {
  std::string issuer;
  OauthUrl token_endpoint;
  std::optional<OauthUrl> authorization_endpoint;
  std::optional<OauthUrl> registration_endpoint;
  std::vector<ClientAuthentication> authentications;  // of those that are known here
  std::optional<Scopes> scopes;
  bool has_s256 = false;
  bool says_iss = false;                // in authorization responses (RFC 9207)
  bool reads_client_documents = false;  // takes the URL of a client's metadata for its id
};
Result<IssuerMetadata> read_issuer_metadata(std::string_view text, std::string_view issuer);
// Where it may be, in this order (specification 2025-11-25, basic/authorization, Authorization Server Metadata).
Result<std::vector<OauthUrl>> places_of_issuer_metadata(std::string_view issuer);
// Of a server of revision 2025-03-26 without any document.
IssuerMetadata default_issuer(const OauthUrl& server);

// RFC 6749 section 5.1. The caller wipes it.
struct TokenAnswer {
  std::string access_token;
  std::string refresh_token;        // may be empty
  std::optional<int64_t> lifetime;  // seconds
  std::optional<Scopes> scopes;
};
Result<TokenAnswer> read_token_answer(std::string_view text);
// RFC 6749 section 5.2: a code of the standards', or "".
std::string read_token_error(std::string_view text);

// RFC 7591 section 3.2.1. The caller wipes the secret.
struct RegistrationAnswer {
  std::string client_id;
  std::string client_secret;      // may be empty
  int64_t secret_expires_at = 0;  // seconds since 1970; 0: never
  std::optional<ClientAuthentication> authentication;
};
Result<RegistrationAnswer> read_registration_answer(std::string_view text);

// What the browser brings back, as the query of our redirect URI (RFC 6749 section 4.1.2, RFC 9207).
struct AuthorizationAnswer {
  std::string code, state, error;
  std::optional<std::string> issuer;
};
Result<AuthorizationAnswer> read_authorization_answer(std::string_view query);

}  // namespace gatehouse::mcp
