#include "launcher/bridge/connection.h"

#include <algorithm>

namespace gatehouse::bridge {

Connection::Connection(uint64_t guest_cid, ConnectionKey key, Phase phase, uint32_t buffer_bytes, Time now)
    : guest_cid_(guest_cid), key_(key), phase_(phase), deadline_(now + kConnectTimeout), buffer_bytes_(buffer_bytes) {}

std::unique_ptr<Connection> Connection::from_guest(uint64_t guest_cid, ConnectionKey key, const PacketHeader& request,
                                                   uint32_t buffer_bytes, Time now) {
  std::unique_ptr<Connection> connection(new Connection(guest_cid, key, Phase::connecting, buffer_bytes, now));
  connection->read_credit(request);
  return connection;
}

std::unique_ptr<Connection> Connection::from_host(uint64_t guest_cid, ConnectionKey key,
                                                  std::unique_ptr<HostStream> stream, std::string greeting,
                                                  uint32_t buffer_bytes, Time now) {
  std::unique_ptr<Connection> connection(new Connection(guest_cid, key, Phase::requesting, buffer_bytes, now));
  connection->stream_ = std::move(stream);
  connection->greeting_ = std::move(greeting);
  connection->owes_request_ = true;
  return connection;
}

void Connection::attach(std::unique_ptr<HostStream> stream) {
  stream_ = std::move(stream);
  phase_ = Phase::open;
  deadline_.reset();
  owes_response_ = true;
  want_readable(true);
}

Connection::Fate Connection::receive(const PacketHeader& header, std::span<const iovec> payload, Time) {
  read_credit(header);
  switch (header.op) {
    case Op::reset:
      return Fate::ends;
    case Op::response:
      if (phase_ != Phase::requesting || owes_request_) return Fate::reset;
      phase_ = Phase::open;
      deadline_.reset();
      kept_ = std::move(greeting_);
      flush();
      want_readable(true);
      return Fate::lives;
    case Op::data:
      return receive_data(payload, header.length);
    case Op::shutdown:
      return receive_shutdown(header.flags);
    case Op::credit_request:
      owes_credit_update_ = true;
      return Fate::lives;
    case Op::credit_update:
      return Fate::lives;
    case Op::request:
    case Op::invalid:
      break;
  }
  return Fate::reset;
}

void Connection::read_credit(const PacketHeader& header) {
  guest_buffer_ = header.buffer_size;
  guest_forwarded_ = header.forwarded;
}

Connection::Fate Connection::receive_data(std::span<const iovec> payload, uint32_t length) {
  if (phase_ != Phase::open || guest_ended_) return Fate::reset;
  const uint32_t held = received_ - forwarded_;
  if (length > buffer_bytes_ - held) return Fate::over_credit;
  received_ += length;
  forward(payload, length);
  return Fate::lives;
}

Connection::Fate Connection::receive_shutdown(uint32_t flags) {
  if (phase_ != Phase::open) return Fate::reset;
  if ((flags & kShutdownSend) != 0 && !guest_ended_) {
    guest_ended_ = true;
    if (kept() == 0) stream_->shutdown_sending();
  }
  if ((flags & kShutdownReceive) != 0 && !guest_deaf_) {
    guest_deaf_ = true;
    stream_->shutdown_receiving();
    want_readable(false);
  }
  return guest_ended_ && guest_deaf_ ? Fate::reset : Fate::lives;
}

// Straight from guest memory to the socket; only what the socket does not take is copied.
void Connection::forward(std::span<const iovec> payload, size_t length) {
  if (length == 0) return;
  if (host_deaf_) {
    count_forwarded(length);
    return;
  }
  size_t out = 0;
  if (kept() == 0) {
    const auto moved = stream_->write(payload);
    if (moved.status == HostStream::Status::failed) {
      host_is_deaf();
      return;
    }
    out = moved.bytes;
    count_forwarded(out);
  }
  if (out == length) return;
  if (kept_done_ > kept()) {
    kept_.erase(0, kept_done_);
    kept_done_ = 0;
  }
  std::vector<iovec> rest;
  slice_buffers(payload, out, length - out, rest);
  for (const auto& part : rest) kept_.append(static_cast<const char*>(part.iov_base), part.iov_len);
  update_watch();
}

void Connection::count_forwarded(size_t bytes) {
  forwarded_ += static_cast<uint32_t>(bytes);
  // Telling the guest at every half keeps it writing without a packet for each of its own.
  if (forwarded_ - announced_ >= buffer_bytes_ / 2) owes_credit_update_ = true;
}

void Connection::flush() {
  while (kept() > 0) {
    const iovec rest{kept_.data() + kept_done_, kept()};
    const auto moved = stream_->write({&rest, 1});
    if (moved.status == HostStream::Status::failed) {
      host_is_deaf();
      return;
    }
    if (moved.status == HostStream::Status::would_block) break;
    kept_done_ += moved.bytes;
  }
  // Whatever is kept beyond what the guest has sent is the greeting, which is not the guest's to be credited for.
  const auto owed = static_cast<uint32_t>(received_ - forwarded_);
  if (kept() < owed) count_forwarded(owed - kept());
  if (kept() == 0) {
    kept_ = std::string();  // gives the memory back: most connections never need it again
    kept_done_ = 0;
    if (guest_ended_ || phase_ == Phase::draining) stream_->shutdown_sending();
  }
  update_watch();
}

// The socket reads no more, but may have bytes for the guest still: what comes is dropped, and the guest is told.
void Connection::host_is_deaf() {
  host_deaf_ = true;
  kept_ = std::string();
  kept_done_ = 0;
  count_forwarded(received_ - forwarded_);
  update_watch();
}

Connection::Fate Connection::host_ready(bool readable, bool writable, Time now) {
  if (writable && kept() > 0) {
    flush();
    if (phase_ == Phase::draining) deadline_ = now + kDrainTimeout;
  }
  if (phase_ == Phase::draining) return kept() == 0 ? Fate::ends : Fate::lives;
  if (readable) {
    // Told a second time, the bytes have to wait for credit or buffers: stop listening until they could be read.
    if (readable_) want_readable(false);
    readable_ = true;
  }
  return Fate::lives;
}

Connection::Fate Connection::tick(Time now) {
  if (deadline_ && now >= *deadline_) return Fate::reset;
  if (phase_ != Phase::open) return Fate::lives;
  if (host_ended_ && !host_deaf_ && stream_->hung_up()) host_is_deaf();
  // A guest that has read everything and forgot to say so would otherwise hang the connection.
  if (readable_ && !host_ended_ && !guest_deaf_ && credit() == 0) owes_credit_request_ = true;
  return Fate::lives;
}

std::optional<size_t> Connection::due() const {
  if (phase_ == Phase::requesting) return owes_request_ ? std::optional<size_t>(0) : std::nullopt;
  if (phase_ != Phase::open) return std::nullopt;
  if (owes_response_ || owes_credit_update_ || owes_credit_request_) return 0;
  if ((shutdown_due() & ~shutdown_told_) != 0) return 0;
  if (!readable_ || host_ended_ || guest_deaf_ || credit() == 0) return std::nullopt;
  return std::min<size_t>(credit(), kMaxPayloadBytes);
}

Connection::Fate Connection::fill(std::span<const Chain> chains, std::vector<uint32_t>& written, Time now) {
  PacketHeader header;
  if (owes_request_) {
    owes_request_ = false;
    header = packet(Op::request);
  } else if (owes_response_) {
    owes_response_ = false;
    header = packet(Op::response);
  } else if (owes_credit_request_) {
    owes_credit_request_ = false;
    header = packet(Op::credit_request);
  } else if (owes_credit_update_) {
    header = packet(Op::credit_update);
  } else if (const uint32_t flags = shutdown_due(); (flags & ~shutdown_told_) != 0) {
    shutdown_told_ = flags;
    if (flags == kShutdownBoth) deadline_ = now + kCloseTimeout;
    header = packet(Op::shutdown);
    header.flags = flags;
  } else {
    return read_socket(chains, written, now);
  }
  scatter_packet_header(header, chains[0].buffers);
  written.push_back(kPacketHeaderBytes);
  return Fate::lives;
}

// One read fills as many chains as it can, so that small buffers (4 KiB with Linux) do not cost a call each.
Connection::Fate Connection::read_socket(std::span<const Chain> chains, std::vector<uint32_t>& written, Time) {
  static thread_local std::vector<iovec> slices;
  slices.clear();
  const size_t most = std::min<size_t>(credit(), kMaxPayloadBytes);
  size_t room = 0;
  for (const auto& chain : chains) room += slice_buffers(chain.buffers, kPacketHeaderBytes, most - room, slices);
  const auto moved = stream_->read({slices.data(), std::min(slices.size(), kMaxChainDescriptors)});
  switch (moved.status) {
    case HostStream::Status::failed:
      return Fate::reset;
    case HostStream::Status::ended:
      socket_ended();
      return Fate::lives;
    case HostStream::Status::would_block:
      readable_ = false;
      want_readable(true);
      return Fate::lives;
    case HostStream::Status::ok:
      break;
  }
  size_t left = moved.bytes;
  for (const auto& chain : chains) {
    if (left == 0) break;
    const auto length = static_cast<uint32_t>(std::min(left, chain.bytes - kPacketHeaderBytes));
    scatter_packet_header(packet(Op::data, length), chain.buffers);
    written.push_back(static_cast<uint32_t>(kPacketHeaderBytes) + length);
    left -= length;
  }
  sent_ += static_cast<uint32_t>(moved.bytes);
  if (moved.bytes < room) {
    readable_ = false;
    want_readable(true);
  }
  return Fate::lives;
}

void Connection::socket_ended() {
  host_ended_ = true;
  readable_ = false;
  want_readable(false);
  if (!host_deaf_ && stream_->hung_up()) host_is_deaf();
}

uint32_t Connection::credit() const {
  const uint32_t in_flight = sent_ - guest_forwarded_;
  // Also when the guest claims to have passed on what was never sent: the difference wraps round to something large.
  return in_flight >= guest_buffer_ ? 0 : guest_buffer_ - in_flight;
}

uint32_t Connection::shutdown_due() const {
  uint32_t flags = host_ended_ ? kShutdownSend : 0;
  if (host_deaf_ || (host_ended_ && guest_ended_)) flags |= kShutdownReceive;
  return flags | shutdown_told_;
}

bool Connection::drain(Time now) {
  if (stream_ == nullptr || kept() == 0 || host_deaf_ || phase_ != Phase::open) return false;
  phase_ = Phase::draining;
  deadline_ = now + kDrainTimeout;
  want_readable(false);
  return true;
}

void Connection::want_readable(bool wanted) {
  if (wanted == watching_readable_) return;
  watching_readable_ = wanted;
  stream_->watch(watching_readable_, watching_writable_);
}

void Connection::update_watch() {
  const bool writable = kept() > 0;
  if (writable == watching_writable_) return;
  watching_writable_ = writable;
  stream_->watch(watching_readable_, watching_writable_);
}

PacketHeader Connection::packet(Op op, uint32_t length) {
  owes_credit_update_ = false;
  announced_ = forwarded_;
  PacketHeader header = reset_packet(guest_cid_, key_);
  header.op = op;
  header.length = length;
  header.buffer_size = buffer_bytes_;
  header.forwarded = forwarded_;
  return header;
}

PacketHeader Connection::reset_packet(uint64_t guest_cid, ConnectionKey key) {
  PacketHeader header;
  header.source_cid = kHostCid;
  header.destination_cid = guest_cid;
  header.source_port = key.host_port;
  header.destination_port = key.guest_port;
  header.op = Op::reset;
  return header;
}

}  // namespace gatehouse::bridge
