// What authorization servers, and well-known places, are asked: bytes for gatehouse-proxy. Pure. Nothing of a client's
// of the gateway is in them, so the proxy, which is told so by a field of its own, has nothing to scan.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcp-gateway/oauth_documents.h"

namespace gatehouse::mcp {

// As whom the gateway is known to an issuer.
struct OauthClient {
  std::string id;
  std::string_view secret;  // empty: none
  ClientAuthentication authentication = ClientAuthentication::none;
};

using Form = std::vector<std::pair<std::string_view, std::string>>;

std::string get_document(const OauthUrl& url);
// With what tells who asks (RFC 6749 section 2.3). The caller wipes it.
std::string post_form(const OauthUrl& url, Form form, const OauthClient& client);
std::string post_json(const OauthUrl& url, const json::Value& value);
// "https://auth.example/authorize?…", for a browser.
std::string url_with(const OauthUrl& url, const Form& parameters);

// 256 bits of the kernel's, in letters, digits, '-' and '_' (RFC 7636 section 4.1): a verifier, or a state.
std::string random_text();
// RFC 7636 section 4.2, S256.
std::string challenge_of(std::string_view verifier);

}  // namespace gatehouse::mcp
