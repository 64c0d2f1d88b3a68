// A person's way to an access token: the gateway registers, sends a browser, and reads what it comes back with.
#include <algorithm>

#include "common/base/log.h"
#include "mcp-gateway/authorization.h"

namespace gatehouse::mcp {

void Authorization::register_client(Time now) {
  if (!issuer_->authorization_endpoint) return give_up("its authorization server has no place for people", now);
  if (!issuer_->has_s256) {
    return give_up(
        "its authorization server does not say that it takes PKCE with S256, without which a code can be "
        "stolen",
        now);
  }
  if (uses_own_id()) {
    registered_id_.clear();
    return send_person(now);
  }
  const bool lapsed = secret_expires_at_ != 0 && secret_expires_at_ <= now;
  if (!registered_id_.empty() && registered_redirect_ == redirect_ && !lapsed) return send_person(now);
  if (!issuer_->registration_endpoint) {
    return give_up(fmt::format("its authorization server registers nobody by itself: register a client there and put "
                               "its id into \"client_id\" of '{}'",
                               server_.name),
                   now);
  }
  const auto& known = issuer_->authentications;
  registered_authentication_ =
      known.empty() ? ClientAuthentication::none : *std::min_element(known.begin(), known.end());
  step_ = Step::registration;
  deadline_ = now + kOauthTime;
  const auto method = kClientAuthenticationNames[static_cast<size_t>(registered_authentication_)];
  ask(post_json(*issuer_->registration_endpoint, {{"client_name", "Gatehouse"},
                                                  {"redirect_uris", {redirect_}},
                                                  {"grant_types", {"authorization_code", "refresh_token"}},
                                                  {"response_types", {"code"}},
                                                  {"token_endpoint_auth_method", method},
                                                  {"application_type", "native"}}));
}

void Authorization::take_registration(int status, std::string_view body, Time now) {
  if (status / 100 != 2) {
    const auto code = read_token_error(body);
    return give_up(fmt::format("its authorization server does not register the gateway (status {}{}{})", status,
                               code.empty() ? "" : ", ", code),
                   now);
  }
  auto answer = read_registration_answer(body);
  if (!answer) return give_up(answer.error().in("registration at its authorization server").message(), now);
  const Wiping<std::string> wiping{answer->client_secret};
  if (answer->authentication) registered_authentication_ = *answer->authentication;
  if (registered_authentication_ != ClientAuthentication::none && answer->client_secret.empty()) {
    return give_up("registration at its authorization server: it gives no secret, and wants one", now);
  }
  registered_id_ = std::move(answer->client_id);
  registered_redirect_ = redirect_;
  secret_expires_at_ = answer->secret_expires_at;
  put(registered_secret_, answer->client_secret);
  send_person(now);
}

void Authorization::send_person(Time now) {
  step_ = Step::person;
  deadline_ = now + kLoginTime;
  state_ = random_text();
  verifier_ = random_text();
  Form form = {{"response_type", "code"},
               {"client_id", client().id},
               {"redirect_uri", redirect_},
               {"state", state_},
               {"code_challenge", challenge_of(verifier_)},
               {"code_challenge_method", "S256"},
               {"resource", resource_}};
  if (const auto scopes = wanted_scopes(); scopes && !scopes->empty()) form.emplace_back("scope", join_scopes(*scopes));
  const auto told = std::exchange(told_url_, nullptr);
  told(url_with(*issuer_->authorization_endpoint, form));
}

void Authorization::begin_login(std::string redirect, ToldUrl url, Time now) {
  if (server_.oauth->grant != policy::McpGrant::authorization_code) {
    return url(fail("the server '{}' is asked with the gateway's own credentials: nobody logs in", server_.name));
  }
  if (busy_for_login_) return url(fail("somebody is logging in to the server '{}' already", server_.name));
  restore();
  drop_exchange();
  busy_for_login_ = true;
  redirect_ = std::move(redirect);
  told_url_ = std::move(url);
  discover(now);
}

void Authorization::finish_login(std::string_view query, ToldEnd end, Time now) {
  if (step_ != Step::person) return end(fail("nobody is logging in to the server '{}'", server_.name));
  told_end_ = std::move(end);
  const auto answer = read_authorization_answer(query);
  if (!answer) return give_up(answer.error().in("what the browser came back with").message(), now);
  const bool ours =
      answer->state.size() == state_.size() && CRYPTO_memcmp(answer->state.data(), state_.data(), state_.size()) == 0;
  if (!ours) return give_up("the browser came back with another state than it was sent with", now);
  if (answer->issuer ? *answer->issuer != issuer_->issuer : issuer_->says_iss) {
    return give_up("the browser comes from another authorization server than it was sent to", now);
  }
  if (!answer->error.empty()) {
    return give_up(fmt::format("the authorization server says no: {}", log::printable(answer->error, 64)), now);
  }
  ask_token(Grant::code,
            {{"grant_type", "authorization_code"},
             {"code", answer->code},
             {"redirect_uri", redirect_},
             {"code_verifier", verifier_}},
            now);
}

void Authorization::abandon_login(std::string_view why, Time now) {
  if (busy_for_login_) give_up(std::string(why), now);
}

}  // namespace gatehouse::mcp
