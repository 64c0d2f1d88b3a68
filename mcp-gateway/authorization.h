// How the gateway comes by the access token of one server over HTTP (specification 2025-11-25 and 2026-07-28,
// basic/authorization): from a challenge by the server's metadata to its issuer, and from there to a token, which is
// renewed before it ends. Passive: answers and the time go in, requests for gatehouse-proxy come out.
//
//   challenge -> metadata of the resource -> metadata of the issuer, which the policy must trust -+-> token
//   login     -> the same -> [registration] -> URL for a person's browser ... its answer ---------'
//
// All that comes is hostile: an issuer that the policy does not name, or whose metadata is another's, is asked nothing
// more. What an issuer has given is never shown to another one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/secret_bytes.h"
#include "common/base/wiping.h"
#include "mcp-gateway/oauth_request.h"
#include "proxy/response_reader.h"

namespace gatehouse::mcp {

inline constexpr int64_t kOauthTime = 60;   // seconds that all of it may take, but for a person
inline constexpr int64_t kLoginTime = 600;  // for a person
inline constexpr int64_t kRenewAhead = 60;  // seconds before a token ends; of a short one, a quarter of its life
inline constexpr int64_t kOauthAgain = 5;   // seconds after a failure before the issuer is asked again
inline constexpr std::string_view kAuthorizationRule = "mcp.authorization";

// What outlives a session: of one server at one issuer.
struct KeptAuthorization {
  std::string server;  // its URL
  std::string issuer;
  std::string client_id;  // that a token belongs to
  std::string redirect;   // that a registered client has; empty: the client is the policy's
  ClientAuthentication authentication = ClientAuthentication::none;
  std::string client_secret;  // of a registered client
  int64_t secret_expires_at = 0;
  std::string access_token;
  int64_t expires_at = 0;  // seconds since 1970; 0: not known
  std::string refresh_token;
  std::string scopes;
};
using gatehouse::wipe;
void wipe(KeptAuthorization& kept);

class Authorization {
 public:
  // Seconds since 1970.
  using Time = int64_t;
  struct Callbacks {
    // On a connection of its own to the proxy. What comes of it is told to received() and ended(), from outside.
    std::function<void(uint64_t exchange, std::string bytes)> open;
    std::function<void(uint64_t exchange)> close;
    std::function<void()> granted;                            // there is another token
    std::function<void(const std::string& why)> refused;      // there will be none for now
    std::function<void(const KeptAuthorization& kept)> keep;  // instead of what was kept before
    // What is kept now, maybe by another session; nothing: nothing is.
    std::function<std::optional<KeptAuthorization>()> kept;
  };
  // `server` has an endpoint and oauth. None of the callbacks but open, close and kept comes from within challenged()
  // and lease().
  Authorization(policy::McpServer server, SecretBytes client_secret, Callbacks callbacks);

  struct Lease {
    bool wait = false;       // granted() or refused() comes
    std::string_view token;  // empty: there is none
    uint64_t number = 0;     // of the token
  };
  // What a request goes with.
  Lease lease(Time now);
  // The server has answered 401, or 403 for want of scope, to a request with that token: granted() or refused() comes,
  // if not from here, then later.
  void challenged(int status, Challenge challenge, uint64_t number, Time now);

  // Of a person who logs in. `url`: what to open, or why not. Each is told once, maybe from within.
  using ToldUrl = std::function<void(Result<std::string>)>;
  using ToldEnd = std::function<void(Result<void>)>;
  void begin_login(std::string redirect, ToldUrl url, Time now);
  // The query by which the browser came back.
  void finish_login(std::string_view query, ToldEnd end, Time now);
  void abandon_login(std::string_view why, Time now);

  void received(uint64_t exchange, std::string_view bytes, Time now);
  void ended(uint64_t exchange, Time now);
  std::optional<Time> due() const;
  void tick(Time now);

  bool has_token() const { return !token_.empty(); }
  // Whether a text of it, or a name, holds a token that the server was given; or its base64 form.
  bool is_spoken_in(const json::Value& value) const;
  const std::string& server() const { return server_.name; }

 private:
  enum class Step { idle, resource, issuer, registration, token, person };
  enum class Grant { client, refresh, code };

  void discover(Time now);
  void ask(std::string bytes);
  void next_place(Time now);
  void renew(Time now);
  void refuse_later(std::string why);
  void answered(Time now);
  void take_resource(int status, std::string_view body, Time now);
  void take_issuer(int status, std::string_view body, Time now);
  void take_registration(int status, std::string_view body, Time now);
  void take_token(int status, std::string_view body, Time now);
  void choose_issuer(Time now);
  void authorize(Time now);
  void register_client(Time now);
  void send_person(Time now);
  void ask_token(Grant grant, Form form, Time now);
  void grant(TokenAnswer& answer, Time now);
  void give_up(std::string why, Time now);
  void drop_exchange();
  void restore();
  void keep();
  bool take_kept(const KeptAuthorization& kept);
  void forget_client();

  bool trusts(const OauthUrl& url) const;
  std::string untrusted(std::string_view what, const OauthUrl& url) const;
  std::optional<Scopes> wanted_scopes() const;
  OauthClient client() const;
  bool uses_own_id() const;
  bool can_renew() const;
  // Its memory cannot be had: as if nothing had been given.
  static void put(SecretBytes& into, std::string_view value) {
    auto kept = SecretBytes::copy_of(value);
    into = kept ? std::move(*kept) : SecretBytes();
  }
  bool is_under_way() const { return step_ != Step::idle && !busy_for_login_; }
  std::string login_words() const;

  const policy::McpServer server_;
  const OauthUrl url_;
  const SecretBytes client_secret_;
  Callbacks callbacks_;

  Step step_ = Step::idle;
  bool busy_for_login_ = false;
  std::optional<Time> deadline_;
  Time again_ = 0;  // before which nobody is asked, after `why_`
  std::string why_;
  bool refusal_due_ = false;
  uint64_t exchange_ = 0;  // that is open; 0: none
  uint64_t last_exchange_ = 0;
  std::optional<proxy::ResponseReader> reader_;
  std::string body_;
  std::vector<OauthUrl> places_;  // still to be tried; the last one first

  Challenge challenge_;
  Scopes step_up_;        // that a 403 asked for
  std::string resource_;  // RFC 8707
  std::optional<Scopes> resource_scopes_;
  std::string issuer_name_;
  std::optional<IssuerMetadata> issuer_;

  // Of the issuer that `given_by_` names.
  std::string given_by_;
  std::string registered_id_, registered_redirect_;
  SecretBytes registered_secret_;
  int64_t secret_expires_at_ = 0;
  ClientAuthentication registered_authentication_ = ClientAuthentication::none;
  SecretBytes token_, previous_, refresh_;
  Scopes granted_;
  std::optional<Time> expires_, renew_;
  uint64_t number_ = 0;
  Grant asked_grant_ = Grant::client;
  bool restored_ = false;
  bool reread_ = false;  // a refresh token that another session has put there was tried

  // Of a login.
  std::string redirect_, state_, verifier_;
  ToldUrl told_url_;
  ToldEnd told_end_;
};

}  // namespace gatehouse::mcp
