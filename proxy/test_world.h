// For tests: a guest's connection as a transcript: what comes in, what is asked of the world, what goes back.
#pragma once

#include <gmock/gmock.h>

#include <deque>

#include "proxy/generation.h"
#include "proxy/guest_http1.h"
#include "proxy/guest_session.h"
#include "proxy/scripted_approver.h"
#include "proxy/scripted_scanner.h"
#include "proxy/upstream_http1.h"

namespace gatehouse::proxy {

// The other end of an upstream connection.
struct Wire {
  UpstreamListener* listener = nullptr;
  std::string sent;
  size_t queued = 0;
  bool reading = false;
  bool open = true;
};

class TestUpstream final : public Upstream {
 public:
  TestUpstream(Wire& wire, bool reused) : wire_(wire), reused_(reused) { wire_.open = true; }
  ~TestUpstream() override { wire_.open = false; }
  void set_listener(UpstreamListener* listener) override { wire_.listener = listener; }
  void send(std::string_view bytes) override { wire_.sent += bytes; }
  void end_output() override { wire_.sent += "<end>"; }
  size_t queued() const override { return wire_.queued; }
  void read(bool wanted) override { wire_.reading = wanted; }
  const std::string& address() const override { return address_; }
  bool reused() const override { return reused_; }

 private:
  Wire& wire_;
  bool reused_;
  std::string address_ = "93.184.216.34:80";
};

// Keeps every question until the test answers it.
class World final : public GuestSocket, public Outside {
 public:
  void send(std::string_view bytes) override { to_guest += bytes; }
  size_t queued() const override { return guest_queued; }
  void read(bool wanted) override { reading = wanted; }
  void shutdown() override { log.push_back("shutdown"); }
  void close(bool reset) override { log.push_back(reset ? "reset" : "close"); }
  void set_deadline(std::chrono::milliseconds after) override { deadline = after; }
  std::shared_ptr<const Generation> generation() const override { return {std::shared_ptr<void>(), rules}; }
  const Inspection* inspection() const override { return with_scanner ? &with : nullptr; }
  Telemetry* telemetry() const override { return models.get(); }
  Budgets* budgets() const override { return counts.get(); }
  approval::Client* approver() const override { return with_approver ? &asked : nullptr; }
  bool knows_names() const override { return dns; }
  void find_name(const IpAddress& address, OnName on_name) override {
    log.push_back("name " + address.to_string());
    name = std::move(on_name);
  }
  void commit(audit::Event event, OnCommitted on_committed) override {
    write(event);
    committed.push_back(std::move(on_committed));
  }
  void note(audit::Event event) override { write(event); }
  std::unique_ptr<Opening> open(const Target& target, OnOpened on_opened) override {
    log.push_back(fmt::format("open {}:{}", target.host, target.port));
    opened = std::move(on_opened);
    return std::make_unique<TestOpening>(*this);
  }
  std::unique_ptr<Opening> open_bytes(const Target& target, OnOpenedBytes on_opened) override {
    log.push_back(fmt::format("open bytes {}:{}", target.host, target.port));
    opened_bytes = std::move(on_opened);
    return std::make_unique<TestOpening>(*this);
  }
  std::unique_ptr<UpstreamLeg> take(const Target&) override {
    return kept ? std::make_unique<Http1Upstream>(std::move(kept)) : nullptr;
  }
  void keep(const Target&, std::unique_ptr<Upstream> upstream) override {
    log.push_back("keep");
    kept = std::move(upstream);
  }

  // Each row asked for, in turn.
  void answer_commit(const Result<void>& outcome = {}) {
    ASSERT_FALSE(committed.empty());
    for (auto& one : std::exchange(committed, {})) one(outcome);
  }
  void answer_open(Wire& wire) {
    std::exchange(opened, nullptr)(std::make_unique<Http1Upstream>(std::make_unique<TestUpstream>(wire, false)));
  }

  void answer_open_bytes(Wire& wire) {
    std::exchange(opened_bytes, nullptr)(std::make_unique<TestUpstream>(wire, false));
  }

  const Generation* rules = nullptr;  // outlives the world
  bool dns = true;
  bool with_approver = false;
  std::unique_ptr<Budgets> counts;
  mutable ScriptedApprover asked;
  bool reading = false;
  size_t guest_queued = 0;
  std::string to_guest;
  std::chrono::milliseconds deadline{0};
  std::vector<std::string> log;
  bool with_scanner = false;
  ScriptedScanner scanner;
  BodyRoom room{testing::TempDir()};
  Inspection with{scanner, room};
  std::vector<std::string> order;  // of the rows, "net" or "dlp" or "result"
  std::vector<audit::NetEvent> rows;
  std::vector<audit::DlpFinding> findings;
  std::vector<audit::GitEvent> git_rows;
  std::vector<audit::NetResult> results;
  std::unique_ptr<Telemetry> models;
  std::vector<audit::ModelCall> model_calls;
  OnName name;
  std::deque<OnCommitted> committed;
  OnOpened opened;
  OnOpenedBytes opened_bytes;
  std::unique_ptr<Upstream> kept;

 private:
  struct TestOpening final : Opening {
    explicit TestOpening(World& asked) : world(asked) {}
    ~TestOpening() override {
      world.opened = nullptr;
      world.opened_bytes = nullptr;
    }
    World& world;
  };
  void write(const audit::Event& event) {
    if (const auto* result = std::get_if<audit::NetResult>(&event)) {
      order.push_back("result");
      results.push_back(*result);
    } else if (const auto* finding = std::get_if<audit::DlpFinding>(&event)) {
      order.push_back("dlp");
      findings.push_back(*finding);
    } else if (const auto* call = std::get_if<audit::ModelCall>(&event)) {
      order.push_back("model");
      model_calls.push_back(*call);
    } else if (const auto* ref = std::get_if<audit::GitEvent>(&event)) {
      order.push_back("git");
      git_rows.push_back(*ref);
    } else if (std::get_if<audit::ToolCall>(&event) != nullptr) {
      order.push_back("tool");
    } else {
      order.push_back("net");
      rows.push_back(std::get<audit::NetEvent>(event));
    }
  }
};

inline constexpr std::string_view kPolicy = R"({"version": 1, "name": "test", "http": [
  {"id": "all", "action": "allow", "hosts": ["api.test.example"], "schemes": ["http", "https"]},
  {"id": "ask", "action": "ask", "hosts": ["api.test.example"], "schemes": ["http"], "paths": ["/ask"]},
  {"id": "no", "action": "deny", "hosts": ["api.test.example"], "schemes": ["http"], "paths": ["/no"]}]})";

inline const std::string kGet = "GET /x?q=1 HTTP/1.1\r\nHost: api.test.example\r\n\r\n";
inline const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

class SessionTest : public testing::Test {
 protected:
  // Another world, in which nothing has been asked yet.
  void restart() {
    const bool with_scanner = world_->with_scanner;
    session_.reset();
    world_ = std::make_unique<World>();
    world_->with_scanner = with_scanner;
  }
  void start(GuestSession::Entry entry = GuestSession::Entry::transparent) {
    world_->rules = &generation_;
    session_ = std::make_unique<GuestSession>(entry, *world_, *world_, *tls_);
    session_->start();
  }
  void dial(const std::string& name = "api.test.example", uint16_t port = 80) {
    start();
    ProxyHeader header{*IpAddress::parse("10.0.0.1"), 1, *IpAddress::parse("198.18.0.7"), port};
    session_->on_bytes(serialize_proxy_header(header));
    std::exchange(world_->name, nullptr)(std::optional(name));
  }
  void forward(const std::string& request, bool reused = false) {
    if (reused) world_->kept = std::make_unique<TestUpstream>(wire_, true);
    session_->on_bytes(request);
    world_->answer_commit();
    if (world_->opened) world_->answer_open(wire_);
  }

  CertificateAuthority authority_ = *CertificateAuthority::create("test");
  tls::KeyPtr key_ = *tls::create_p256_key();
  LeafCache leaves_{authority_, *key_};
  TicketKeys tickets_ = *TicketKeys::create();
  std::unique_ptr<TlsServerContext> tls_ = *TlsServerContext::create(leaves_, authority_, tickets_);
  Generation generation_{*policy::Policy::parse({{"test.json", std::string(kPolicy)}}), {}};
  policy::Policy& policy_ = generation_.policy;
  Wire wire_;
  Wire second_;  // of the upstream that takes the first one's place
  std::unique_ptr<World> world_ = std::make_unique<World>();
  std::unique_ptr<GuestSession> session_;
};

}  // namespace gatehouse::proxy
