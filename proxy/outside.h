// What a guest's connection and its exchanges need from the world. They are passive and see only these interfaces;
// connection.* and upstream_pool.* fill them with sockets, tests with transcripts.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/approval/client.h"
#include "common/audit/event.h"
#include "common/base/ip_address.h"
#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/dlp/client.h"
#include "common/git/gate_client.h"
#include "common/quota/budgets.h"
#include "proxy/held_body.h"
#include "proxy/http_message.h"
#include "proxy/telemetry/telemetry.h"
#include "proxy/upstream_leg.h"

namespace gatehouse::proxy {

// Where a request is to go.
struct Target {
  Scheme scheme = Scheme::http;
  std::string host;  // lower case, as judged
  uint16_t port = 0;
  // HTTP/2 is offered: to those asked by a guest who speaks it, so that gRPC is HTTP/2 all the way. Who speaks HTTP/1.1
  // is translated to nothing else.
  bool http2 = false;
  auto operator<=>(const Target&) const = default;
};

// Why there is no upstream: the address is refused (`denied`), or it could not be had (502 or 504).
struct OpenFailure {
  std::optional<Decision> denied;
  int status = 502;
  std::string rule;  // "upstream.lookup", "upstream.connect", "upstream.proxy", "upstream.certificate"...
  std::string reason;
  std::string address;  // the last one tried, if any
};
using Opened = tl::expected<std::unique_ptr<UpstreamLeg>, OpenFailure>;

// An attempt under way; destroying it abandons it, and nothing is called.
class Opening {
 public:
  virtual ~Opening() = default;
};

struct Generation;

// What has requests and responses scanned. Credentials are put into requests that were: nobody else would notice one
// that goes astray.
struct Inspection {
  dlp::ScanClient& scanner;
  BodyRoom& room;  // to hold requests in meanwhile
};

// None of these calls back from within, or after the connection is gone.
class Outside {
 public:
  virtual ~Outside() = default;

  // What a request that begins now is judged by. Never null.
  virtual std::shared_ptr<const Generation> generation() const = 0;

  // Null: no scanner is configured, and nothing is held back for one.
  virtual const Inspection* inspection() const = 0;

  // Null: calls of models are not read.
  virtual Telemetry* telemetry() const = 0;
  // Null: nothing is counted.
  virtual Budgets* budgets() const = 0;
  // Null: nobody can be asked for approval.
  virtual approval::Client* approver() const = 0;
  // Null: nobody looks through pushes, so that none may go.
  virtual git::GateClient* git_gate() const { return nullptr; }

  using OnName = std::function<void(Result<std::optional<std::string>>)>;
  virtual bool knows_names() const = 0;  // a DNS gate is configured
  virtual void find_name(const IpAddress& address, OnName on_name) = 0;
  using OnCommitted = std::function<void(Result<void>)>;
  virtual void commit(audit::Event event, OnCommitted on_committed) = 0;
  virtual void note(audit::Event event) = 0;  // a row nobody waits for

  // Resolves, checks and dials. `on_opened` may destroy the opening that calls it.
  using OnOpened = std::function<void(Opened)>;
  virtual std::unique_ptr<Opening> open(const Target& target, OnOpened on_opened) = 0;
  // The same for a connection whose bytes, TLS or whatever they are, are the guest's own: to the target's host and
  // port.
  using OpenedBytes = tl::expected<std::unique_ptr<Upstream>, OpenFailure>;
  using OnOpenedBytes = std::function<void(OpenedBytes)>;
  virtual std::unique_ptr<Opening> open_bytes(const Target& target, OnOpenedBytes on_opened) = 0;
  // On a connection to `target` that is there already, or null.
  virtual std::unique_ptr<UpstreamLeg> take(const Target& target) = 0;
  // Gives back a connection on which an exchange has ended well, to be taken again.
  virtual void keep(const Target& target, std::unique_ptr<Upstream> upstream) = 0;
};

// The guest's end of a connection, as bytes.
class GuestSocket {
 public:
  virtual ~GuestSocket() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual size_t queued() const = 0;
  virtual void read(bool wanted) = 0;
  // Ends what we say (FIN after what is queued). The session goes on discarding what the guest says.
  virtual void shutdown() = 0;
  // Closes at once; `reset` so that the guest cannot take a cut response for a whole one. No callback follows, and the
  // session is destroyed after the current one.
  virtual void close(bool reset) = 0;
  // Calls GuestSession::on_deadline() once after this time; replaces what was set before.
  virtual void set_deadline(std::chrono::milliseconds after) = 0;
};

}  // namespace gatehouse::proxy
