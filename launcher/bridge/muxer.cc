#include "launcher/bridge/muxer.h"

namespace gatehouse::bridge {

using Fate = Connection::Fate;

Muxer::Muxer(HostSide& host, uint64_t guest_cid, size_t max_connections)
    : host_(host), guest_cid_(guest_cid), max_connections_(max_connections) {}

void Muxer::receive(const Chain& chain, Time now) {
  const auto header = gather_packet_header(chain.buffers);
  if (!header) {
    host_.refused({0, "vsock.packet", fmt::format("a packet of {} bytes is shorter than its header", chain.bytes)});
    return;
  }
  // Nobody to answer: these are not addresses of this wire (5.10.6.4.1).
  if (header->source_cid != guest_cid_ || header->destination_cid != kHostCid) {
    host_.refused({0, "vsock.packet",
                   fmt::format("a packet from CID {} to CID {}, expected {} to {}", header->source_cid,
                               header->destination_cid, guest_cid_, kHostCid)});
    return;
  }
  const ConnectionKey key{header->source_port, header->destination_port};
  const auto found = connections_.find(key);
  const bool known = found != connections_.end();
  const bool sound = header->type == kTypeStream && chain.bytes - kPacketHeaderBytes == header->length;
  if (!sound) {
    host_.refused({key.host_port, "vsock.packet",
                   fmt::format("a {} packet of type {} says {} bytes and carries {}", to_string(header->op),
                               header->type, header->length, chain.bytes - kPacketHeaderBytes)});
    if (known) {
      apply(found->second, Fate::reset, now);
    } else if (header->op != Op::reset) {
      reset(key);
    }
    return;
  }
  if (known) {
    static thread_local std::vector<iovec> payload;
    payload.clear();
    slice_buffers(chain.buffers, kPacketHeaderBytes, header->length, payload);
    apply(found->second, found->second.connection->receive(*header, payload, now), now);
  } else if (header->op == Op::request) {
    request(key, *header, now);
  } else if (header->op != Op::reset) {
    reset(key);
  }
}

void Muxer::request(ConnectionKey key, const PacketHeader& header, Time now) {
  if (!host_.serves(key.host_port)) {
    host_.refused({key.host_port, "vsock.port", fmt::format("no service listens on vsock port {}", key.host_port)});
    reset(key);
    return;
  }
  if (size() >= max_connections_) {
    host_.refused(
        {key.host_port, "vsock.limit", fmt::format("more than {} vsock connections at once", max_connections_)});
    reset(key);
    return;
  }
  auto& entry = add(key, Connection::from_guest(guest_cid_, key, header, buffer_bytes(), now));
  host_.connect({key, entry.serial});
}

Muxer::Entry& Muxer::add(ConnectionKey key, std::unique_ptr<Connection> connection) {
  auto& entry = connections_[key];
  entry.connection = std::move(connection);
  entry.serial = next_serial_++;
  return entry;
}

void Muxer::connected(const Ticket& ticket, std::unique_ptr<HostStream> stream) {
  Entry* entry = find(ticket);
  if (entry == nullptr) return;
  entry->connection->attach(std::move(stream));
  bind(*entry->connection);
  take_turn(*entry);
}

void Muxer::refused(const Ticket& ticket, const std::string& why) {
  Entry* entry = find(ticket);
  if (entry == nullptr) return;
  host_.refused({ticket.key.host_port, "vsock.service", why});
  reset(ticket.key);
  leave_turn(*entry);
  connections_.erase(ticket.key);
}

bool Muxer::wanted(const Ticket& ticket) const {
  const auto found = connections_.find(ticket.key);
  return found != connections_.end() && found->second.serial == ticket.serial && found->second.connection->connecting();
}

Muxer::Entry* Muxer::find(const Ticket& ticket) {
  return wanted(ticket) ? &connections_.find(ticket.key)->second : nullptr;
}

bool Muxer::open(uint32_t guest_port, std::unique_ptr<HostStream> stream, Time now) {
  if (size() >= max_connections_) return false;
  ConnectionKey key{guest_port, next_port_};
  const auto step = [](uint32_t port) { return port == kLastEphemeralPort ? kFirstEphemeralPort : port + 1; };
  while (connections_.contains(key)) key.host_port = step(key.host_port);
  next_port_ = step(key.host_port);
  auto greeting = fmt::format("OK {}\n", key.host_port);
  auto& entry =
      add(key, Connection::from_host(guest_cid_, key, std::move(stream), std::move(greeting), buffer_bytes(), now));
  bind(*entry.connection);
  take_turn(entry);
  return true;
}

void Muxer::bind(Connection& connection) {
  connection.stream()->on_ready = [this, at = &connection](bool readable, bool writable, Time now) {
    host_ready(*at, readable, writable, now);
  };
}

void Muxer::host_ready(Connection& connection, bool readable, bool writable, Time now) {
  const auto fate = connection.host_ready(readable, writable, now);
  const auto found = connections_.find(connection.key());
  if (found != connections_.end() && found->second.connection.get() == &connection) {
    apply(found->second, fate, now);
  } else if (fate != Fate::lives) {
    draining_.remove_if([&connection](const auto& other) { return other.get() == &connection; });
  }
  host_.output_ready();
}

void Muxer::apply(Entry& entry, Fate fate, Time now) {
  switch (fate) {
    case Fate::lives:
      if (entry.connection->due()) take_turn(entry);
      return;
    case Fate::over_credit:
      host_.refused({entry.connection->key().host_port, "vsock.credit", "the guest sent more than its credit"});
      [[fallthrough]];
    case Fate::reset:
      reset(entry.connection->key());
      [[fallthrough]];
    case Fate::ends:
      end(entry, now);
      return;
  }
}

void Muxer::end(Entry& entry, Time now) {
  leave_turn(entry);
  const auto key = entry.connection->key();
  if (entry.connection->drain(now)) draining_.push_back(std::move(entry.connection));
  connections_.erase(key);
}

void Muxer::take_turn(Entry& entry) {
  if (!entry.turn) entry.turn = turns_.insert(turns_.end(), &entry);
}

void Muxer::leave_turn(Entry& entry) {
  if (entry.turn) turns_.erase(*entry.turn);
  entry.turn.reset();
}

std::optional<size_t> Muxer::due() {
  if (!resets_.empty() && (resets_turn_ || turns_.empty())) return 0;
  // A connection that asked for a turn may have lost its reason meanwhile, such as its credit.
  while (!turns_.empty()) {
    if (const auto bytes = turns_.front()->connection->due()) return bytes;
    leave_turn(*turns_.front());
  }
  return resets_.empty() ? std::nullopt : std::optional<size_t>(0);
}

void Muxer::fill(std::span<const Chain> chains, std::vector<uint32_t>& written, Time now) {
  const bool reset_now = !resets_.empty() && (resets_turn_ || turns_.empty());
  resets_turn_ = !reset_now;
  if (reset_now) {
    scatter_packet_header(Connection::reset_packet(guest_cid_, resets_.front()), chains[0].buffers);
    resets_.pop_front();
    written.push_back(kPacketHeaderBytes);
    return;
  }
  Entry& entry = *turns_.front();
  leave_turn(entry);  // to the end of the line, if there is more
  apply(entry, entry.connection->fill(chains, written, now), now);
}

void Muxer::tick(Time now) {
  std::vector<Entry*> all;
  all.reserve(connections_.size());
  for (auto& [key, entry] : connections_) all.push_back(&entry);
  for (auto* entry : all) apply(*entry, entry->connection->tick(now), now);
  draining_.remove_if([now](const auto& connection) { return connection->tick(now) != Fate::lives; });
}

void Muxer::close_all(Time now) {
  turns_.clear();
  resets_.clear();
  for (auto& [key, entry] : connections_) {
    if (entry.connection->drain(now)) draining_.push_back(std::move(entry.connection));
  }
  connections_.clear();
}

}  // namespace gatehouse::bridge
