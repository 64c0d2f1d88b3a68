// The house of tools: which servers there are, what of theirs is shown, and who is told.
#pragma once

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
inline constexpr size_t kMaxRowsOfTools = 4096;          // about what becomes of one server's tools
inline constexpr std::chrono::seconds kListingTime{10};  // that lists wait for servers that have not listed theirs

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
  // That server has nothing to list, for now: nobody waits for it.
  void passed_over(const std::string& server);
  // Judges anew what is shown: the policy is another one.
  void policy_changed();
  // Takes in what was approved since; done every kPinsTime, too.
  void look_at_pins();

  Client* add_client(Client::Callbacks callbacks);
  void remove_client(Client* client);
  // A client that could not be added, or kept, there being too many, or too much of what they made us hold.
  void turned_away();
  Room& room() { return room_; }

  const Catalogue& catalogue() const override { return catalogue_; }
  bool settled() const override { return unlisted_.empty(); }
  std::unique_ptr<Call> call(const std::string& shown, Value arguments, Call::Callbacks callbacks) override;
  void refused(int code, std::string_view method) override;

 private:
  // A tool that is not shown although a rule could let it be called.
  struct Withheld {
    Decision why;
    std::string pin;
  };
  void listed(const std::string& server, std::vector<Value> definitions);
  void show(const std::string& server);
  void show_all();
  void record(const Tool& tool, Decision decision);
  void record(const std::string& server, const std::string& tool, const std::string& pin, Decision decision);
  void record_closed(const std::string& server, const std::vector<std::string_view>& names);
  Decision objection_to(const std::string& server, const std::string& tool) const;
  void settle(const std::string& server);

  CallTools tools_;
  Callbacks callbacks_;
  Room room_;
  std::map<std::string, std::unique_ptr<Upstream>> upstreams_;
  std::map<std::string, std::unique_ptr<Listing>> listings_;         // under way
  std::map<std::string, std::vector<Tool>> listed_;                  // of each server, looked through
  std::set<std::string> unlisted_;                                   // servers that lists wait for
  std::map<std::string, std::map<std::string, Withheld>> withheld_;  // of each server, by tool
  std::map<std::string, std::string> closed_;                        // of each server, what the policy lets nobody call
  std::map<std::string, size_t> rows_of_tools_;
  Pins pins_;
  Refusals refusals_;
  Catalogue catalogue_;
  std::list<std::unique_ptr<Client>> clients_;
  Timer patience_;
  Timer pin_watch_;
};

}  // namespace gatehouse::mcp
