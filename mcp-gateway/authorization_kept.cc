// What an access token leaves behind: what is kept of it for other sessions, and where it must not turn up.
#include <algorithm>

#include "mcp-gateway/authorization.h"
#include "proxy/credential_forms.h"

namespace gatehouse::mcp {

// Of a person's consent only: a client's own token is had again at any time.
void Authorization::keep() {
  if (server_.oauth->grant != policy::McpGrant::authorization_code) return;
  const auto as = client();
  KeptAuthorization kept{.server = url_.to_string(),
                         .issuer = given_by_,
                         .client_id = as.id,
                         .redirect = registered_id_.empty() ? "" : registered_redirect_,
                         .authentication = as.authentication,
                         .client_secret = registered_id_.empty() ? "" : std::string(registered_secret_.view()),
                         .secret_expires_at = secret_expires_at_,
                         .access_token = std::string(token_.view()),
                         .expires_at = expires_.value_or(0),
                         .refresh_token = std::string(refresh_.view()),
                         .scopes = join_scopes(granted_)};
  const Wiping<KeptAuthorization> wiping{kept};
  callbacks_.keep(kept);
}

// False: it is another client's than the policy's.
bool Authorization::take_kept(const KeptAuthorization& kept) {
  if (server_.oauth->grant != policy::McpGrant::authorization_code) return false;
  const bool registered = !kept.redirect.empty();
  const auto& own = server_.oauth->client_id;
  const bool fits = registered ? own.empty() || own.starts_with("https://") : kept.client_id == own;
  if (!fits || kept.client_id.empty()) return false;
  given_by_ = kept.issuer;
  registered_id_ = registered ? kept.client_id : "";
  registered_redirect_ = kept.redirect;
  registered_authentication_ = kept.authentication;
  secret_expires_at_ = kept.secret_expires_at;
  put(registered_secret_, kept.client_secret);
  put(token_, kept.access_token);
  put(refresh_, kept.refresh_token);
  granted_ = read_scopes(kept.scopes).value_or(Scopes());
  expires_.reset();
  if (kept.expires_at != 0) expires_ = kept.expires_at;
  renew_ = expires_ ? std::optional(*expires_ - kRenewAhead) : std::nullopt;
  ++number_;
  return true;
}

namespace {

// Within base64 of what holds `secret`, whichever of the three ways it begins: what stands for it alone.
std::vector<std::string> forms_of(std::string_view secret) {
  std::vector<std::string> forms = {std::string(secret)};
  for (size_t before = 0; before < 3; ++before) {
    std::string text = proxy::base64(std::string(before, '\0') + std::string(secret));
    while (text.ends_with('=')) text.pop_back();
    if ((before + secret.size()) % 3 != 0) text.pop_back();
    text.erase(0, before == 0 ? 0 : before + 1);
    forms.push_back(std::move(text));
  }
  return forms;
}

bool holds(const json::Value& value, const std::vector<std::string>& forms) {
  const auto within = [&](const std::string& text) {
    return std::any_of(forms.begin(), forms.end(),
                       [&](const std::string& form) { return text.find(form) != std::string::npos; });
  };
  if (value.is_string()) return within(value.get_ref<const std::string&>());
  if (value.is_array())
    return std::any_of(value.begin(), value.end(), [&](const auto& one) { return holds(one, forms); });
  if (!value.is_object()) return false;
  for (const auto& [name, one] : value.items()) {
    if (within(name) || holds(one, forms)) return true;
  }
  return false;
}

}  // namespace

bool Authorization::is_spoken_in(const json::Value& value) const {
  for (const auto* token : {&token_, &previous_}) {
    if (token->empty()) continue;
    auto forms = forms_of(token->view());
    const bool found = holds(value, forms);
    for (auto& form : forms) wipe(form);
    if (found) return true;
  }
  return false;
}

}  // namespace gatehouse::mcp
