#include "mcp-gateway/oauth_documents.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/ip_address.h"
#include "common/base/log.h"
#include "common/base/wiping.h"
#include "common/policy/argument_condition.h"
#include "common/policy/host_pattern.h"
#include "proxy/credential_forms.h"

namespace gatehouse::mcp {

namespace {

using json::Value;

constexpr json::Limits kDocumentLimits{.bytes = kMaxDocumentBytes, .depth = 16, .values = 20'000};
constexpr size_t kMaxListed = 256;
constexpr std::string_view kResourcePlace = "/.well-known/oauth-protected-resource";
constexpr std::string_view kIssuerPlace = "/.well-known/oauth-authorization-server";
constexpr std::string_view kOpenidPlace = "/.well-known/openid-configuration";

std::string path_of(const OauthUrl& url) { return url.path.substr(0, url.path.find('?')); }

Result<Value> read_object(std::string_view text) {
  auto value = json::read(text, kDocumentLimits);
  if (!value) return value;
  if (!value->is_object()) return fail("it is no JSON object");
  return value;
}

// Null: it is not there, or null.
const Value* member(const Value& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::string> text_member(const Value& object, const char* name, size_t limit = kMaxOauthTextBytes) {
  const Value* value = member(object, name);
  if (value == nullptr) return std::string();
  if (!value->is_string() || value->get_ref<const std::string&>().size() > limit) {
    return fail("its \"{}\" is no text, or too long", name);
  }
  return value->get<std::string>();
}

Result<std::optional<OauthUrl>> url_member(const Value& object, const char* name) {
  const auto text = text_member(object, name);
  if (!text) return failed(text);
  if (text->empty()) return std::nullopt;
  auto url = OauthUrl::parse(*text);
  if (!url) return fail("its \"{}\" is no URL that can be used: {}", name, url.error().message());
  return std::move(*url);
}

Result<std::vector<std::string>> list_member(const Value& object, const char* name) {
  std::vector<std::string> list;
  const Value* value = member(object, name);
  if (value == nullptr) return list;
  if (!value->is_array() || value->size() > kMaxListed) return fail("its \"{}\" is no list, or too long", name);
  for (const auto& one : *value) {
    if (!one.is_string() || one.get_ref<const std::string&>().size() > kMaxOauthTextBytes) {
      return fail("its \"{}\" is no list of texts", name);
    }
    list.push_back(one.get<std::string>());
  }
  return list;
}

bool bool_member(const Value& object, const char* name) {
  const Value* value = member(object, name);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

bool is_scope(std::string_view text) {
  return !text.empty() && text.size() <= kMaxOauthScopeBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

// Scopes that are none are passed over: nobody asks for them.
Result<std::optional<Scopes>> scopes_member(const Value& object, const char* name) {
  if (member(object, name) == nullptr) return std::nullopt;
  const auto list = list_member(object, name);
  if (!list) return failed(list);
  Scopes scopes;
  for (const auto& scope : *list) {
    if (is_scope(scope) && scopes.size() < kMaxScopes) scopes.push_back(scope);
  }
  return scopes;
}

// RFC 6750 section 2.1, b64token, which is also what a field of HTTP can hold.
bool is_bearer_token(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTokenBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text, size_t limit) {
  return text.size() <= limit && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_tchar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// RFC 9110 section 11.2, one field of challenges: what is no such list ends it.
class ChallengeReader {
 public:
  explicit ChallengeReader(std::string_view text) : text_(text) {}

  // Calls `take(scheme, name, value)` for each parameter, with an empty name for each scheme.
  template <class Take>
  void read(Take take) {
    std::string_view scheme;
    while (true) {
      skip(" \t,");
      const auto word = token();
      if (word.empty()) return;
      skip(" \t");
      if (text_.starts_with('=') && !scheme.empty()) {
        text_.remove_prefix(1);
        skip(" \t");
        std::string value;
        if (!read_value(value)) return;
        take(scheme, word, value);
        skip(" \t");
        if (!text_.empty() && !text_.starts_with(',')) return;
      } else {
        scheme = word;
        take(scheme, std::string_view(), std::string());
      }
    }
  }

 private:
  void skip(std::string_view what) { text_.remove_prefix(std::min(text_.find_first_not_of(what), text_.size())); }
  std::string_view token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_tchar);
    const auto word = text_.substr(0, static_cast<size_t>(end - text_.begin()));
    text_.remove_prefix(word.size());
    return word;
  }
  bool read_value(std::string& value) {
    if (!text_.starts_with('"')) {
      value = token();
      return !value.empty();
    }
    for (size_t at = 1; at < text_.size(); ++at) {
      if (text_[at] == '"') {
        text_.remove_prefix(at + 1);
        return true;
      }
      if (text_[at] == '\\' && ++at == text_.size()) return false;
      value += text_[at];
    }
    return false;
  }
  std::string_view text_;
};

// The server's URL, or what it is below.
bool leads_to(const OauthUrl& resource, const OauthUrl& server) {
  if (!resource.same_origin(server)) return false;
  const std::string above = path_of(resource), path = path_of(server);
  return path == above || path.starts_with(above.ends_with('/') ? above : above + "/");
}

}  // namespace

Result<OauthUrl> OauthUrl::parse(std::string_view text) {
  if (text.size() > kMaxOauthUrlBytes) return fail("it is too long");
  auto url = policy::parse_plain_url(text);
  if (!url) return failed(url);
  if (url->scheme != "https") return fail("it is not https");
  if (text.find('#') != std::string_view::npos) return fail("it has a fragment");
  if (looks_like_ip(url->host)) return fail("it has an address in place of a host's name");
  return OauthUrl{std::move(url->host), url->port, std::move(url->path)};
}

OauthUrl OauthUrl::of(const policy::McpEndpoint& endpoint) { return {endpoint.host, endpoint.port, endpoint.path}; }

std::string OauthUrl::authority() const { return port == 443 ? host : fmt::format("{}:{}", host, port); }

std::optional<Scopes> read_scopes(std::string_view text) {
  Scopes scopes;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    if (!word.empty()) {
      if (!is_scope(word) || scopes.size() == kMaxScopes) return std::nullopt;
      scopes.emplace_back(word);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return scopes;
}

std::string join_scopes(const Scopes& scopes) { return fmt::format("{}", fmt::join(scopes, " ")); }

bool contains_scope(const Scopes& scopes, std::string_view scope) {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

Challenge read_challenge(const proxy::Fields& fields) {
  Challenge found;
  bool within = false, done = false;
  for (const auto& field : fields) {
    if (!proxy::same_token(field.name, "WWW-Authenticate") || field.value.size() > kMaxChallengeBytes) continue;
    ChallengeReader(field.value).read([&](std::string_view scheme, std::string_view name, const std::string& value) {
      if (name.empty()) {
        done |= within;  // the first one counts
        within = !done && proxy::same_token(scheme, "Bearer");
        return;
      }
      if (!within) return;
      if (proxy::same_token(name, "error") && is_printable(value, kMaxOauthScopeBytes)) found.error = value;
      if (proxy::same_token(name, "scope")) found.scopes = read_scopes(value);
      if (proxy::same_token(name, "resource_metadata")) {
        if (auto url = OauthUrl::parse(value)) found.resource_metadata = std::move(*url);
      }
    });
    done |= within;
    within = false;
  }
  return found;
}

Result<ResourceMetadata> read_resource_metadata(std::string_view text, const OauthUrl& server) {
  const auto object = read_object(text);
  if (!object) return failed(object);
  ResourceMetadata metadata;
  auto resource = text_member(*object, "resource", kMaxOauthUrlBytes);
  if (!resource) return failed(resource);
  const auto url = OauthUrl::parse(*resource);
  if (!url || !leads_to(*url, server)) return fail("its \"resource\" is not this server");
  metadata.resource = std::move(*resource);
  auto issuers = list_member(*object, "authorization_servers");
  if (!issuers) return failed(issuers);
  if (issuers->empty()) return fail("it names no authorization server");
  metadata.issuers = std::move(*issuers);
  auto scopes = scopes_member(*object, "scopes_supported");
  if (!scopes) return failed(scopes);
  metadata.scopes = std::move(*scopes);
  return metadata;
}

std::vector<OauthUrl> places_of_resource_metadata(const OauthUrl& server, const Challenge& challenge) {
  if (challenge.resource_metadata) return {*challenge.resource_metadata};
  std::vector<OauthUrl> places;
  std::string path = path_of(server);
  if (path != "/") places.push_back({server.host, server.port, std::string(kResourcePlace) + path});
  places.push_back({server.host, server.port, std::string(kResourcePlace)});
  return places;
}

Result<IssuerMetadata> read_issuer_metadata(std::string_view text, std::string_view issuer) {
  const auto object = read_object(text);
  if (!object) return failed(object);
  IssuerMetadata metadata;
  auto said = text_member(*object, "issuer", kMaxOauthUrlBytes);
  if (!said) return failed(said);
  if (*said != issuer) return fail("its \"issuer\" is not the one it was asked for");
  metadata.issuer = std::move(*said);
  auto token = url_member(*object, "token_endpoint");
  if (!token) return failed(token);
  if (!*token) return fail("it has no \"token_endpoint\"");
  metadata.token_endpoint = std::move(**token);
  for (const auto& [name, into] : {std::pair{"authorization_endpoint", &metadata.authorization_endpoint},
                                   std::pair{"registration_endpoint", &metadata.registration_endpoint}}) {
    auto url = url_member(*object, name);
    if (!url) return failed(url);
    *into = std::move(*url);
  }
  const auto methods = list_member(*object, "token_endpoint_auth_methods_supported");
  if (!methods) return failed(methods);
  for (size_t i = 0; i < std::size(kClientAuthenticationNames); ++i) {
    if (std::find(methods->begin(), methods->end(), kClientAuthenticationNames[i]) != methods->end()) {
      metadata.authentications.push_back(static_cast<ClientAuthentication>(i));
    }
  }
  // RFC 8414 section 2: the default.
  if (member(*object, "token_endpoint_auth_methods_supported") == nullptr) {
    metadata.authentications = {ClientAuthentication::basic};
  }
  const auto challenges = list_member(*object, "code_challenge_methods_supported");
  if (!challenges) return failed(challenges);
  metadata.has_s256 = std::find(challenges->begin(), challenges->end(), "S256") != challenges->end();
  auto scopes = scopes_member(*object, "scopes_supported");
  if (!scopes) return failed(scopes);
  metadata.scopes = std::move(*scopes);
  metadata.says_iss = bool_member(*object, "authorization_response_iss_parameter_supported");
  metadata.reads_client_documents = bool_member(*object, "client_id_metadata_document_supported");
  return metadata;
}

Result<std::vector<OauthUrl>> places_of_issuer_metadata(std::string_view issuer) {
  const auto url = OauthUrl::parse(issuer);
  if (!url) return failed(url);
  if (url->path.find('?') != std::string::npos) return fail("it has a query");
  const auto at = [&](std::string path) { return OauthUrl{url->host, url->port, std::move(path)}; };
  std::string path = url->path;
  while (path.ends_with('/')) path.pop_back();
  std::vector<OauthUrl> places = {at(std::string(kIssuerPlace) + path), at(std::string(kOpenidPlace) + path)};
  if (!path.empty()) places.push_back(at(path + std::string(kOpenidPlace)));
  return places;
}

IssuerMetadata default_issuer(const OauthUrl& server) {
  IssuerMetadata metadata;
  metadata.issuer = server.origin();
  metadata.token_endpoint = {server.host, server.port, "/token"};
  metadata.authorization_endpoint = OauthUrl{server.host, server.port, "/authorize"};
  metadata.registration_endpoint = OauthUrl{server.host, server.port, "/register"};
  metadata.authentications = {ClientAuthentication::none, ClientAuthentication::basic, ClientAuthentication::post};
  metadata.has_s256 = true;  // that revision wants it of every server
  return metadata;
}

Result<TokenAnswer> read_token_answer(std::string_view text) {
  auto object = read_object(text);
  if (!object) return failed(object);
  const Wiping<Value> wiping{*object};
  const auto type = text_member(*object, "token_type");
  if (!type) return failed(type);
  if (!proxy::same_token(*type, "Bearer")) return fail("its \"token_type\" is not Bearer");
  TokenAnswer answer;
  auto token = text_member(*object, "access_token", kMaxTokenBytes);
  if (!token) return failed(token);
  if (!is_bearer_token(*token)) {
    wipe(*token);
    return fail("its \"access_token\" is none");
  }
  answer.access_token = std::move(*token);
  auto refresh = text_member(*object, "refresh_token", kMaxTokenBytes);
  if (refresh && is_printable(*refresh, kMaxTokenBytes)) {
    answer.refresh_token = std::move(*refresh);
  } else {
    wipe(answer.access_token);
    return fail("its \"refresh_token\" is none");
  }
  if (const Value* lifetime = member(*object, "expires_in")) {
    if (lifetime->is_number_unsigned() && lifetime->get<uint64_t>() <= kMaxLifetimeSeconds) {
      answer.lifetime = lifetime->get<int64_t>();
    }
  }
  if (const Value* scope = member(*object, "scope"); scope != nullptr && scope->is_string()) {
    answer.scopes = read_scopes(scope->get_ref<const std::string&>());
  }
  return answer;
}

std::string read_token_error(std::string_view text) {
  constexpr std::string_view kKnown[] = {"invalid_request",     "invalid_client",          "invalid_grant",
                                         "unauthorized_client", "unsupported_grant_type",  "invalid_scope",
                                         "invalid_target",      "access_denied",           "invalid_redirect_uri",
                                         "server_error",        "temporarily_unavailable", "invalid_client_metadata"};
  const auto object = read_object(text);
  if (!object) return {};
  const auto error = text_member(*object, "error");
  if (!error || std::find(std::begin(kKnown), std::end(kKnown), *error) == std::end(kKnown)) return {};
  return *error;
}

Result<RegistrationAnswer> read_registration_answer(std::string_view text) {
  auto object = read_object(text);
  if (!object) return failed(object);
  const Wiping<Value> wiping{*object};
  RegistrationAnswer answer;
  auto id = text_member(*object, "client_id");
  if (!id) return failed(id);
  if (id->empty() || !is_printable(*id, kMaxOauthTextBytes)) return fail("its \"client_id\" is none");
  answer.client_id = std::move(*id);
  auto secret = text_member(*object, "client_secret");
  if (!secret) return failed(secret);
  if (!is_printable(*secret, kMaxOauthTextBytes)) {
    wipe(*secret);
    return fail("its \"client_secret\" is none");
  }
  answer.client_secret = std::move(*secret);
  if (const Value* expires = member(*object, "client_secret_expires_at");
      expires != nullptr && expires->is_number_unsigned() && expires->get<uint64_t>() < (uint64_t{1} << 40)) {
    answer.secret_expires_at = expires->get<int64_t>();
  }
  const auto method = text_member(*object, "token_endpoint_auth_method");
  if (!method) return failed(method);
  const auto known = std::find(std::begin(kClientAuthenticationNames), std::end(kClientAuthenticationNames), *method);
  if (known != std::end(kClientAuthenticationNames)) {
    answer.authentication = static_cast<ClientAuthentication>(known - std::begin(kClientAuthenticationNames));
  } else if (!method->empty()) {
    wipe(answer.client_secret);
    return fail("it wants the client to authenticate in a way that is not known here");
  }
  return answer;
}

Result<AuthorizationAnswer> read_authorization_answer(std::string_view query) {
  if (query.size() > 4 * kMaxOauthTextBytes) return fail("it is too long");
  AuthorizationAnswer answer;
  bool seen[4] = {};
  std::string issuer;
  std::string* const into[] = {&answer.code, &answer.state, &answer.error, &issuer};
  constexpr std::string_view kNames[] = {"code", "state", "error", "iss"};
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = proxy::parameter_decoded(pair.substr(0, equals));
    const auto known = std::find(std::begin(kNames), std::end(kNames), name);
    if (known == std::end(kNames)) continue;
    const auto index = static_cast<size_t>(known - std::begin(kNames));
    if (std::exchange(seen[index], true)) return fail("it says \"{}\" twice", kNames[index]);
    *into[index] = proxy::parameter_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!is_printable(*into[index], kMaxOauthTextBytes)) return fail("its \"{}\" is none", kNames[index]);
  }
  if (seen[3]) answer.issuer = std::move(issuer);
  if (answer.code.empty() == answer.error.empty()) return fail("it has neither a code nor an error, or both");
  return answer;
}

}  // namespace gatehouse::mcp
