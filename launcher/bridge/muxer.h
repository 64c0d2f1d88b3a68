// All connections of the guest, by (guest port, host port): packets of the guest go to the right one, and those that
// have packets for the guest take turns. Passive: packets, sockets' readiness and the time come in.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "launcher/bridge/connection.h"
#include "launcher/bridge/refusals.h"

namespace gatehouse::bridge {

inline constexpr size_t kMaxConnections = 4096;            // open or still draining; a further one is reset
inline constexpr size_t kCrowd = 256;                      // connections from which new ones get the smaller buffer
inline constexpr size_t kMaxResetsWaiting = 1024;          // for want of buffers; the transmit queue waits beyond
inline constexpr uint32_t kFirstEphemeralPort = 1u << 30;  // host ports of host-initiated connections
inline constexpr uint32_t kLastEphemeralPort = (1u << 31) - 1;

// A guest's wish to be connected, until it has been answered. `serial` tells it from a later one of the same ports.
struct Ticket {
  ConnectionKey key;
  uint64_t serial = 0;
};

// What the muxer needs of its surroundings. None of these may call the muxer back, except output_ready().
class HostSide {
 public:
  virtual ~HostSide() = default;
  virtual bool serves(uint32_t port) = 0;
  // Begin to connect the service of ticket.key.host_port; Muxer::connected or ::refused answers later.
  virtual void connect(const Ticket& ticket) = 0;
  virtual void refused(const Refusal& refusal) = 0;
  // There may be packets for the guest, after something other than receive() or a call from here.
  virtual void output_ready() = 0;
};

class Muxer {
 public:
  Muxer(HostSide& host, uint64_t guest_cid, size_t max_connections = kMaxConnections);
  Muxer(const Muxer&) = delete;
  Muxer& operator=(const Muxer&) = delete;

  // One packet of the guest: header and payload. Whatever is wrong with it costs its own connection at most.
  void receive(const Chain& chain, Time now);
  // False while too many resets wait for buffers: leave the packets in the ring.
  bool can_receive() const { return resets_.size() < kMaxResetsWaiting; }

  // As Connection::due() and fill(), for the connection whose turn it is.
  std::optional<size_t> due();
  void fill(std::span<const Chain> chains, std::vector<uint32_t>& written, Time now);

  // Answers to HostSide::connect. A ticket whose connection is gone is dropped with its stream.
  void connected(const Ticket& ticket, std::unique_ptr<HostStream> stream);
  void refused(const Ticket& ticket, const std::string& why);
  bool wanted(const Ticket& ticket) const;

  // Connects `stream` to a port of the guest; once it is accepted the stream gets "OK <host port>\n", otherwise it is
  // closed. False when there are too many connections; the stream is closed then, too.
  bool open(uint32_t guest_port, std::unique_ptr<HostStream> stream, Time now);

  // To be called about once a second.
  void tick(Time now);

  // The guest was reset or is gone: ends everything. What it had sent still goes out.
  void close_all(Time now);

  size_t size() const { return connections_.size() + draining_.size(); }

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    uint64_t serial = 0;
    std::optional<std::list<Entry*>::iterator> turn;  // its place in turns_
  };
  // Ordered, since a guest that chooses the keys could make any hash table slow.
  using Entries = std::map<ConnectionKey, Entry>;

  void request(ConnectionKey key, const PacketHeader& header, Time now);
  Entry& add(ConnectionKey key, std::unique_ptr<Connection> connection);
  void bind(Connection& connection);
  void host_ready(Connection& connection, bool readable, bool writable, Time now);
  Entry* find(const Ticket& ticket);
  void apply(Entry& entry, Connection::Fate fate, Time now);
  void end(Entry& entry, Time now);
  void take_turn(Entry& entry);
  void leave_turn(Entry& entry);
  void reset(ConnectionKey key) { resets_.push_back(key); }
  uint32_t buffer_bytes() const { return size() < kCrowd ? kBufferBytes : kCrowdedBufferBytes; }

  HostSide& host_;
  uint64_t guest_cid_;
  size_t max_connections_;
  Entries connections_;
  std::list<std::unique_ptr<Connection>> draining_;
  std::list<Entry*> turns_;
  std::deque<ConnectionKey> resets_;
  bool resets_turn_ = true;
  uint64_t next_serial_ = 1;
  uint32_t next_port_ = kFirstEphemeralPort;
};

}  // namespace gatehouse::bridge
