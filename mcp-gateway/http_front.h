// The gateway's HTTP endpoint, /mcp: which requests are in order, and whose session they belong to. Passive.
//
// Whoever may connect may ask, as everywhere in the guest, so nobody is asked for a token, and one that is sent is not
// read: no field of a request goes further than here. What is refused is what a web page in the guest could send
// without meaning to (Origin, Host; specification 2025-11-25, basic/transports, Security Warning).
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "mcp-gateway/http_exchange.h"
#include "mcp-gateway/http_session.h"
#include "proxy/http_message.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxHttpSessions = 2048;  // at once; the one not used for longest makes room, if it can
inline constexpr std::string_view kEndpoint = "/mcp";

class HttpFront {
 public:
  using Time = HttpSession::Time;
  using Record = std::function<void(audit::Event, audit::AuditLog::Committed)>;

  HttpFront(Gateway& gateway, Record record) : gateway_(gateway), record_(std::move(record)) {}

  // One request with the whole of its body. `reply` lives until it is answered, or its `gone` has been called.
  void request(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now);
  // For the log: what came is no request of HTTP, or none that is read to its end.
  void unsound();
  // About once a second.
  void tick(Time now);

  size_t sessions() const { return sessions_.size(); }

 private:
  struct Refused {
    int status;
    RpcError error;
    Value id = nullptr;  // of the request, where it is known
  };
  using Checked = tl::expected<void, Refused>;

  void refuse_source(std::string_view why, HttpReply& reply);
  tl::expected<HttpSession*, Refused> session_of(const proxy::RequestHead& head);
  Checked serve(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now);
  Checked post(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now);
  Checked get(const proxy::RequestHead& head, HttpReply& reply, Time now);
  Checked stateless(const proxy::RequestHead& head, std::vector<Message> messages, HttpReply& reply, Time now);
  Checked open_session(Message message, HttpReply& reply, Time now);
  Checked make_room();

  Gateway& gateway_;
  Record record_;
  std::map<std::string, std::unique_ptr<HttpSession>, std::less<>> sessions_;
  std::list<HttpExchange> exchanges_;  // of 2026-07-28
};

}  // namespace gatehouse::mcp
