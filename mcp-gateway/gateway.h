// The house of tools: which servers there are, what of theirs is shown, and who is told.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mcp-gateway/call.h"
#include "mcp-gateway/client.h"
#include "mcp-gateway/pins.h"
#include "mcp-gateway/refusals.h"
#include "mcp-gateway/upstream.h"

namespace gatehouse::mcp {

inline constexpr std::chrono::seconds kPinsTime{1};      // that an approval takes to be noticed, at most
inline constexpr size_t kMaxRowsOfTools = 4096;          // about what becomes of what one server has
inline constexpr size_t kMaxLogScans = 32;               // at once; what is logged meanwhile is dropped
inline constexpr std::chrono::seconds kListingTime{10};  // that lists wait for servers that have not listed theirs

inline constexpr std::string_view kUnlistedRule = "mcp.unlisted";

class Listing;

class Gateway final : public ToolHouse {
 public:
  // What the servers' processes are told; they tell us by upstream().
  struct Callbacks {
    std::function<void(const std::string& server, const Outgoing& message)> write;
    std::function<void(const std::string& server)> greeted;  // it has said what tools it has
    std::function<void(const std::string& server, const Error& why)> broken;
  };
  // `tools.upstream` is filled in here.
  Gateway(CallTools tools, PinFile pins, Callbacks callbacks);
  ~Gateway() override;

  Upstream* upstream(const std::string& server);
  // That server has nothing to list, for now: nobody waits for it. `why` is told to whoever calls its tools; empty: the
  // same as of tools that are not there. `rule`: by which its tools are refused then; empty: as those that are not
  // there.
  void passed_over(const std::string& server, std::string_view why = {}, std::string_view rule = {});
  // Judges anew what is shown: the policy is another one.
  void policy_changed();
  // Takes in what was approved since; done every kPinsTime, too.
  void look_at_pins();

  // `stateless`: as of Client.
  Client* add_client(Client::Callbacks callbacks, bool stateless = false);
  void remove_client(Client* client);
  // A client that could not be added, or kept, there being too many, or too much of what they made us hold.
  void turned_away();
  Room& room() override { return room_; }

  const Catalogue& catalogue(ListKind kind) const override { return catalogues_[static_cast<size_t>(kind)]; }
  bool settled() const override { return unlisted_.empty(); }
  tl::expected<std::unique_ptr<Call>, RpcError> call(CarriedRequest request, Call::Callbacks callbacks) override;
  HeldExchanges& held() override { return held_; }
  void unwatched(const std::string& uri) override;
  void log_levels_changed() override;
  void refused(int code, std::string_view method) override;

 private:
  using List = std::pair<std::string, ListKind>;  // of a server
  // What is not shown although a rule could let it be used.
  struct Withheld {
    Decision why;
    std::string pin;
  };
  using Asked = Call::Asked;
  using Resolved = tl::expected<Asked, RpcError>;

  void listed(const std::string& server, ListKind kind, std::vector<Value> definitions);
  void show(const List& list);
  void show_tools(const std::string& server);
  void show_others(const List& list);
  void put_up(const List& list, std::vector<Item> shown);
  void show_all();
  void record(const Item& item, Decision decision);
  void record(const List& list, const std::string& name, const std::string& pin, Decision decision);
  void record_closed(const List& list, const std::vector<std::string_view>& names);
  void settle(const List& list);
  void tick();
  void updated(const std::string& server, const std::string& uri);
  void logged(const std::string& server, Value params);

  const policy::McpServer* declared(const policy::Policy& policy, const std::string& server) const;
  bool may_use(const policy::Policy& policy, const Item& item) const;
  Decision objection_to(const List& list, const std::string& name) const;
  Resolved resolve(CarriedRequest& request) const;
  Resolved resolve_named(CarriedRequest& request, ListKind kind) const;
  Resolved resolve_resource(CarriedRequest& request) const;
  Resolved resolve_completion(CarriedRequest& request) const;

  CallTools tools_;
  Callbacks callbacks_;
  Room room_;
  std::map<std::string, std::unique_ptr<Upstream>> upstreams_;
  std::map<List, std::unique_ptr<Listing>> listings_;         // under way
  std::map<List, std::vector<Item>> listed_;                  // looked through
  std::set<List> unlisted_;                                   // that clients' lists wait for
  std::map<std::string, Decision> away_;                      // servers that are passed over, and why
  std::map<List, std::map<std::string, Withheld>> withheld_;  // by name
  std::map<List, std::string> closed_;                        // what the policy lets nobody use
  std::map<std::string, size_t> rows_of_tools_;
  Pins pins_;
  Refusals refusals_;
  std::array<Catalogue, kLists> catalogues_;
  HeldExchanges held_;
  std::map<uint64_t, std::unique_ptr<TextScan>> log_scans_;  // of what servers say about no request in particular
  uint64_t next_log_scan_ = 1;
  std::list<std::unique_ptr<Client>> clients_;
  bool closing_ = false;
  Timer patience_;
  Timer tick_;
};

}  // namespace gatehouse::mcp
