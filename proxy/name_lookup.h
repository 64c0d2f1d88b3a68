// Asks gatehouse-dns for the name behind an address of the pool, over one Unix stream connection (RFC 7766: each
// message behind its two-byte length, many under way at once).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/ip_address.h"
#include "common/net/stream.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::milliseconds kNameTimeout{2000};
inline constexpr std::chrono::milliseconds kFirstReconnect{20};
inline constexpr std::chrono::milliseconds kSlowestReconnect{500};
inline constexpr size_t kMaxPendingNames = 4096;
// How often an address is asked back for while it is held: four times within the lease it has at gatehouse-dns.
inline constexpr std::chrono::seconds kNameRenewal{30};

class NameLookup {
 public:
  using OnName = std::function<void(Result<std::optional<std::string>>)>;

  // Connects at the first question, and again whenever the gate has gone: questions without an answer are asked again.
  NameLookup(Loop& loop, Endpoint dns, std::chrono::milliseconds renewal = kNameRenewal);

  // Nothing when the pool never gave the address to a name. An error when the gate does not answer within kNameTimeout,
  // or answers nonsense. The callback never runs from within this call, nor after this object is gone.
  void find(const IpAddress& address, OnName on_name);

  // Asks for `address` again every `renewal` for as long as the lease lives, whatever is answered: gatehouse-dns gives
  // no address that is asked for to another name. A lease may outlive this object.
  using Lease = std::shared_ptr<const void>;
  Lease hold(const IpAddress& address);

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    std::string query;
    OnName on_name;
    Clock::time_point deadline;
  };

  void connect();
  void connected(Result<std::unique_ptr<Stream>> stream);
  void disconnect();
  void send(const std::string& query);
  void received(std::string_view bytes);
  void answered(std::string_view message);
  void expire();
  void renew();

  Loop& loop_;
  Endpoint dns_;
  std::map<uint16_t, Question> pending_;
  uint16_t next_id_ = 0;
  std::string input_;
  std::chrono::milliseconds reconnect_ = kFirstReconnect;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Stream> stream_;
  Timer retry_;
  Timer expiry_;
  std::multiset<IpAddress> held_;
  IpAddress renewed_last_;
  std::chrono::milliseconds renewal_period_;
  Timer renewal_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
