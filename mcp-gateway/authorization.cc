#include "mcp-gateway/authorization.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {

constexpr int kOk = 200;
constexpr int kForbidden = 403;

void join(Scopes& into, const Scopes& more) {
  for (const auto& scope : more) {
    if (!contains_scope(into, scope) && into.size() < kMaxScopes) into.push_back(scope);
  }
}

std::string without_query(std::string url) { return url.substr(0, url.find('?')); }

}  // namespace

void wipe(KeptAuthorization& kept) {
  for (auto* text : {&kept.client_secret, &kept.access_token, &kept.refresh_token}) wipe(*text);
}

Authorization::Authorization(policy::McpServer server, SecretBytes client_secret, Callbacks callbacks)
    : server_(std::move(server)),
      url_(OauthUrl::of(*server_.endpoint)),
      client_secret_(std::move(client_secret)),
      callbacks_(std::move(callbacks)) {}

// What an earlier session has kept, once.
void Authorization::restore() {
  if (std::exchange(restored_, true)) return;
  if (auto kept = callbacks_.kept()) {
    const Wiping<KeptAuthorization> wiping{*kept};
    take_kept(*kept);
  }
}

Authorization::Lease Authorization::lease(Time now) {
  restore();
  if (!token_.empty() && (!expires_ || now < *expires_)) return {false, token_.view(), number_};
  if (is_under_way()) return {true, {}, 0};
  if (step_ != Step::idle || !can_renew() || now < again_) return {};
  renew(now);
  return {true, {}, 0};
}

void Authorization::challenged(int status, Challenge challenge, uint64_t number, Time now) {
  if (is_under_way()) return;
  challenge_ = std::move(challenge);
  const bool for_scope = status == kForbidden;
  if (for_scope) {
    if (challenge_.scopes) join(step_up_, *challenge_.scopes);
    if (const auto& bound = server_.oauth->scopes) {
      for (const auto& scope : step_up_) {
        if (contains_scope(*bound, scope)) continue;
        const std::string words = log::printable(scope, kMaxOauthScopeBytes);
        step_up_.clear();
        return refuse_later(fmt::format("it wants the scope '{}', which the policy's \"scopes\" do not have", words));
      }
    }
  } else if (number == number_) {
    previous_ = std::exchange(token_, SecretBytes());
    expires_.reset();
  }
  if (now < again_ && step_ == Step::idle) return refuse_later(why_);
  const bool by_person = server_.oauth->grant == policy::McpGrant::authorization_code;
  if (step_ != Step::idle || (by_person && (for_scope || refresh_.empty()))) return refuse_later(login_words());
  discover(now);
}

void Authorization::refuse_later(std::string why) {
  why_ = std::move(why);
  refusal_due_ = true;
}

std::string Authorization::login_words() const {
  if (!step_up_.empty()) {
    return fmt::format("it wants more scope than its token has ({}): run `gatehouse mcp login {}` on the host",
                       join_scopes(step_up_), server_.name);
  }
  return fmt::format("nobody has logged in to it: run `gatehouse mcp login {}` on the host", server_.name);
}

bool Authorization::can_renew() const {
  if (server_.oauth->grant == policy::McpGrant::client_credentials) return issuer_.has_value();
  return !refresh_.empty();
}

void Authorization::renew(Time now) {
  deadline_ = now + kOauthTime;
  if (!issuer_ || issuer_->issuer != given_by_) return discover(now);
  authorize(now);
}

bool Authorization::trusts(const OauthUrl& url) const {
  return server_.oauth->trusts(*server_.endpoint, url.host, url.port);
}

std::string Authorization::untrusted(std::string_view what, const OauthUrl& url) const {
  return fmt::format("{} is at {}, which the policy does not name: add \"{}\" to \"authorization_servers\" of '{}'",
                     what, url.origin(), url.origin(), server_.name);
}

void Authorization::discover(Time now) {
  step_ = Step::resource;
  deadline_ = now + kOauthTime;
  resource_ = without_query(url_.to_string());
  resource_scopes_.reset();
  issuer_.reset();
  places_ = places_of_resource_metadata(url_, challenge_);
  std::reverse(places_.begin(), places_.end());
  next_place(now);
}

void Authorization::next_place(Time now) {
  if (places_.empty() && step_ == Step::resource) {
    // As servers of revision 2025-03-26 have it, which know no such metadata.
    issuer_name_ = url_.origin();
    step_ = Step::issuer;
    places_ = *places_of_issuer_metadata(issuer_name_);
    std::reverse(places_.begin(), places_.end());
  } else if (places_.empty()) {
    if (issuer_name_ != url_.origin()) return give_up("no metadata of its authorization server is found", now);
    issuer_ = default_issuer(url_);
    return authorize(now);
  }
  const OauthUrl place = std::move(places_.back());
  places_.pop_back();
  if (!trusts(place)) return give_up(untrusted("metadata that it names", place), now);
  ask(get_document(place));
}

void Authorization::ask(std::string bytes) {
  drop_exchange();
  exchange_ = ++last_exchange_;
  reader_.emplace(bytes.starts_with("GET") ? "GET" : "POST");
  callbacks_.open(exchange_, std::move(bytes));
}

void Authorization::drop_exchange() {
  wipe(body_);
  body_.clear();
  reader_.reset();
  if (exchange_ != 0) callbacks_.close(std::exchange(exchange_, 0));
}

void Authorization::received(uint64_t exchange, std::string_view bytes, Time now) {
  while (exchange == exchange_ && reader_) {
    const auto event = reader_->feed(bytes);
    if (!event) return give_up("what is answered there is no HTTP", now);
    bytes.remove_prefix(event->consumed);
    using Kind = proxy::ReadEvent::Kind;
    if (event->kind == Kind::need_more) return;
    if (event->kind == Kind::body) {
      if (body_.size() + event->body.size() > kMaxDocumentBytes) return give_up("what is answered is too large", now);
      body_.reserve(kMaxDocumentBytes);  // no copy of it is left behind
      body_ += event->body;
    } else if (event->kind == Kind::complete) {
      return answered(now);
    }
  }
}

void Authorization::ended(uint64_t exchange, Time now) {
  if (exchange != exchange_ || !reader_) return;
  if (reader_->finish()) return answered(now);
  give_up("the connection to it ended", now);
}

void Authorization::answered(Time now) {
  const int status = reader_->head().status;
  if (const auto* rule = proxy::find_field(reader_->head().fields, "Gatehouse-Rule")) {
    return give_up(fmt::format("its authorization server is not reached (rule '{}')", log::printable(rule->value, 64)),
                   now);
  }
  std::string body = std::exchange(body_, {});
  const Wiping<std::string> wiping{body};
  drop_exchange();
  switch (step_) {
    case Step::resource:
      return take_resource(status, body, now);
    case Step::issuer:
      return take_issuer(status, body, now);
    case Step::registration:
      return take_registration(status, body, now);
    case Step::token:
      return take_token(status, body, now);
    case Step::idle:
    case Step::person:
      return;
  }
}

void Authorization::take_resource(int status, std::string_view body, Time now) {
  if (status / 100 == 4) return next_place(now);
  if (status != kOk) return give_up(fmt::format("its metadata is answered with status {}", status), now);
  auto metadata = read_resource_metadata(body, url_);
  if (!metadata) return give_up(metadata.error().in("its metadata").message(), now);
  resource_ = std::move(metadata->resource);
  resource_scopes_ = std::move(metadata->scopes);
  std::optional<OauthUrl> other;
  for (const auto& issuer : metadata->issuers) {
    const auto url = OauthUrl::parse(issuer);
    auto places = places_of_issuer_metadata(issuer);
    if (!url || !places) continue;
    if (!trusts(*url)) {
      if (!other) other = *url;
      continue;
    }
    issuer_name_ = issuer;
    step_ = Step::issuer;
    places_ = std::move(*places);
    std::reverse(places_.begin(), places_.end());
    return next_place(now);
  }
  give_up(other ? untrusted("its authorization server", *other) : "it names no authorization server over https", now);
}

void Authorization::take_issuer(int status, std::string_view body, Time now) {
  if (status / 100 == 4) return next_place(now);
  const auto who = [](const Error& error) { return error.in("the metadata of its authorization server").message(); };
  if (status != kOk) return give_up(who(Error(fmt::format("it is answered with status {}", status))), now);
  auto metadata = read_issuer_metadata(body, issuer_name_);
  if (!metadata) return give_up(who(metadata.error()), now);
  for (const auto* endpoint : {&metadata->authorization_endpoint, &metadata->registration_endpoint}) {
    if (*endpoint && !trusts(**endpoint)) return give_up(untrusted("an endpoint for its tokens", **endpoint), now);
  }
  if (!trusts(metadata->token_endpoint)) {
    return give_up(untrusted("an endpoint for its tokens", metadata->token_endpoint), now);
  }
  issuer_ = std::move(*metadata);
  authorize(now);
}

void Authorization::forget_client() {
  registered_id_.clear();
  registered_redirect_.clear();
  registered_secret_ = SecretBytes();
  refresh_ = SecretBytes();
}

void Authorization::authorize(Time now) {
  // What another one has given is not shown to this one.
  if (given_by_ != issuer_->issuer) {
    forget_client();
    if (!token_.empty()) previous_ = std::exchange(token_, SecretBytes());
    given_by_ = issuer_->issuer;
  }
  if (busy_for_login_) return register_client(now);
  if (server_.oauth->grant == policy::McpGrant::client_credentials) {
    return ask_token(Grant::client, {{"grant_type", "client_credentials"}}, now);
  }
  if (refresh_.empty()) return give_up(login_words(), now);
  ask_token(Grant::refresh, {{"grant_type", "refresh_token"}, {"refresh_token", std::string(refresh_.view())}}, now);
}

// Whether the policy's "client_id" is known to the issuer.
bool Authorization::uses_own_id() const {
  const auto& id = server_.oauth->client_id;
  return !id.empty() && (!id.starts_with("https://") || !issuer_ || issuer_->reads_client_documents);
}

OauthClient Authorization::client() const {
  if (!registered_id_.empty()) return {registered_id_, registered_secret_.view(), registered_authentication_};
  OauthClient client{server_.oauth->client_id, client_secret_.view(), ClientAuthentication::none};
  if (client.secret.empty()) return client;
  const auto& known = issuer_->authentications;
  const auto takes = [&](ClientAuthentication one) {
    return std::find(known.begin(), known.end(), one) != known.end();
  };
  client.authentication = !takes(ClientAuthentication::basic) && takes(ClientAuthentication::post)
                              ? ClientAuthentication::post
                              : ClientAuthentication::basic;
  return client;
}

std::optional<Scopes> Authorization::wanted_scopes() const {
  if (server_.oauth->scopes) return server_.oauth->scopes;
  std::optional<Scopes> wanted;
  if (!step_up_.empty()) {
    wanted = granted_;
    join(*wanted, step_up_);
  } else {
    wanted = challenge_.scopes ? challenge_.scopes : resource_scopes_;
  }
  // With which refresh tokens are given, where it is known.
  constexpr std::string_view kOffline = "offline_access";
  const bool by_person = server_.oauth->grant == policy::McpGrant::authorization_code;
  if (by_person && issuer_->scopes && contains_scope(*issuer_->scopes, kOffline)) {
    if (!wanted) wanted.emplace();
    join(*wanted, {std::string(kOffline)});
  }
  return wanted;
}

void Authorization::ask_token(Grant grant, Form form, Time now) {
  step_ = Step::token;
  deadline_ = now + kOauthTime;
  asked_grant_ = grant;
  form.emplace_back("resource", resource_);
  if (grant == Grant::client) {
    if (const auto scopes = wanted_scopes(); scopes && !scopes->empty())
      form.emplace_back("scope", join_scopes(*scopes));
  }
  ask(post_form(issuer_->token_endpoint, std::move(form), client()));
}

void Authorization::take_token(int status, std::string_view body, Time now) {
  if (status == kOk) {
    auto answer = read_token_answer(body);
    if (!answer) return give_up(answer.error().in("what its authorization server issues").message(), now);
    return grant(*answer, now);
  }
  const auto code = read_token_error(body);
  if (asked_grant_ == Grant::refresh && code == "invalid_grant") {
    // Another session may have used it, and put a newer one there.
    auto kept = std::exchange(reread_, true) ? std::nullopt : callbacks_.kept();
    if (kept) {
      const Wiping<KeptAuthorization> wiping{*kept};
      if (kept->issuer == issuer_->issuer && kept->refresh_token != refresh_.view() && take_kept(*kept)) {
        return authorize(now);
      }
    }
    refresh_ = SecretBytes();
    keep();
    return give_up(login_words(), now);
  }
  if (code == "invalid_client" && !registered_id_.empty()) {
    forget_client();
    keep();
  }
  give_up(
      fmt::format("its authorization server issues no token (status {}{}{})", status, code.empty() ? "" : ", ", code),
      now);
}

void Authorization::grant(TokenAnswer& answer, Time now) {
  const Wiping<std::string> wiping{answer.access_token}, wiping_more{answer.refresh_token};
  previous_ = std::exchange(token_, SecretBytes());
  put(token_, answer.access_token);
  if (!answer.refresh_token.empty()) {
    put(refresh_, answer.refresh_token);
  } else if (asked_grant_ != Grant::refresh) {
    refresh_ = SecretBytes();
  }
  if (answer.scopes) {
    granted_ = std::move(*answer.scopes);
  } else if (asked_grant_ != Grant::refresh) {
    granted_ = wanted_scopes().value_or(Scopes());
  }
  expires_.reset();
  renew_.reset();
  if (answer.lifetime) {
    expires_ = now + *answer.lifetime;
    renew_ = *expires_ - std::min(kRenewAhead, *answer.lifetime / 4);
  }
  ++number_;
  reread_ = false;
  step_up_.clear();
  step_ = Step::idle;
  deadline_.reset();
  busy_for_login_ = false;
  wipe(verifier_);
  again_ = 0;
  keep();
  const auto told = std::exchange(told_end_, nullptr);
  callbacks_.granted();
  if (told) told({});
}

void Authorization::give_up(std::string why, Time now) {
  drop_exchange();
  step_ = Step::idle;
  deadline_.reset();
  renew_.reset();
  places_.clear();
  busy_for_login_ = false;
  wipe(verifier_);
  again_ = now + kOauthAgain;
  why_ = std::move(why);
  log::warn("no access token for the server '{}': {}", server_.name, log::printable(why_, 512));
  const std::string told_why = why_;
  const auto url = std::exchange(told_url_, nullptr);
  const auto end = std::exchange(told_end_, nullptr);
  callbacks_.refused(told_why);
  if (url) url(tl::unexpected(Error(told_why)));
  if (end) end(tl::unexpected(Error(told_why)));
}

std::optional<Authorization::Time> Authorization::due() const {
  if (refusal_due_) return Time{0};
  if (step_ != Step::idle) return deadline_;
  return can_renew() ? renew_ : std::nullopt;
}

void Authorization::tick(Time now) {
  if (std::exchange(refusal_due_, false)) {
    const std::string why = why_;
    return callbacks_.refused(why);
  }
  if (step_ != Step::idle) {
    if (!deadline_ || now < *deadline_) return;
    return give_up(step_ == Step::person ? "nobody has logged in in time" : "its authorization server is too slow",
                   now);
  }
  if (!renew_ || now < *renew_ || !can_renew()) return;
  renew_.reset();
  renew(now);
}

}  // namespace gatehouse::mcp
