// One stream connection between a port of the guest and a socket on the host.
//
// Flow control (virtio 1.2 section 5.10.6.3): each side tells the other how much it can hold (buf_alloc) and how much
// it has passed on so far (fwd_cnt); the difference between what was sent and what was passed on never exceeds the
// former. Towards the host, bytes that the socket does not take at once are kept here, never more than buf_alloc; a
// guest that sends beyond its credit is reset. Towards the guest nothing is kept: the socket is read into the guest's
// own buffers when there is credit and a buffer, and left alone otherwise, so that the pressure reaches the writer.
//
// Half-close: the guest's SHUTDOWN becomes shutdown(2) of the socket once what is kept has gone out; the socket's end
// becomes a SHUTDOWN packet after its last byte. When both directions are closed, the one that was told so last answers
// with RST (5.10.6.4).
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "launcher/bridge/host_stream.h"
#include "launcher/bridge/packet.h"
#include "launcher/bridge/virtqueue.h"

namespace gatehouse::bridge {

using Time = std::chrono::steady_clock::time_point;

inline constexpr uint32_t kBufferBytes = 256 * 1024;        // kept for the host, per connection
inline constexpr uint32_t kCrowdedBufferBytes = 64 * 1024;  // the same once there are many connections
inline constexpr size_t kMaxChainsAtOnce = 16;              // filled by one read of the socket
inline constexpr std::chrono::seconds kConnectTimeout{10};  // until the other end has answered
inline constexpr std::chrono::seconds kCloseTimeout{8};     // Linux's own VSOCK_CLOSE_TIMEOUT
inline constexpr std::chrono::seconds kDrainTimeout{30};    // without progress, once the guest has let go

struct ConnectionKey {
  uint32_t guest_port = 0;
  uint32_t host_port = 0;
  auto operator<=>(const ConnectionKey&) const = default;
};

class Connection {
 public:
  // What a packet of the guest, or the passing of time, does to the connection.
  enum class Fate {
    lives,
    ends,         // over, the guest knows
    reset,        // over, the guest is to be told with RST
    over_credit,  // as reset, because the guest broke flow control
  };

  // The guest has asked for it; the host's side is being connected (attach()).
  static std::unique_ptr<Connection> from_guest(uint64_t guest_cid, ConnectionKey key, const PacketHeader& request,
                                                uint32_t buffer_bytes, Time now);
  // A host client has asked for it; `greeting` is written to it once the guest has accepted.
  static std::unique_ptr<Connection> from_host(uint64_t guest_cid, ConnectionKey key,
                                               std::unique_ptr<HostStream> stream, std::string greeting,
                                               uint32_t buffer_bytes, Time now);

  const ConnectionKey& key() const { return key_; }
  bool connecting() const { return phase_ == Phase::connecting; }
  bool requesting() const { return phase_ == Phase::requesting; }

  // The host's side is there; the guest gets its RESPONSE.
  void attach(std::unique_ptr<HostStream> stream);
  HostStream* stream() { return stream_.get(); }

  // A packet for this connection; `payload` holds exactly header.length bytes of guest memory.
  Fate receive(const PacketHeader& header, std::span<const iovec> payload, Time now);

  // The socket can be read, written, or both.
  Fate host_ready(bool readable, bool writable, Time now);

  // To be called about once a second.
  Fate tick(Time now);

  // How many payload bytes the next packets could carry: 0 for a packet without payload, nullopt when nothing is due.
  std::optional<size_t> due() const;

  // Writes due packets into `chains` (each larger than a header) and their sizes to `written`, fewer or none when the
  // socket turns out to have less. Not called unless due().
  Fate fill(std::span<const Chain> chains, std::vector<uint32_t>& written, Time now);

  // The guest has let go of the connection: from now on only what is kept for the host goes out. False when there is
  // nothing to wait for.
  bool drain(Time now);

  // The reset packet for a connection, existing or not.
  static PacketHeader reset_packet(uint64_t guest_cid, ConnectionKey key);

 private:
  enum class Phase { connecting, requesting, open, draining };

  Connection(uint64_t guest_cid, ConnectionKey key, Phase phase, uint32_t buffer_bytes, Time now);

  void read_credit(const PacketHeader& header);
  Fate receive_data(std::span<const iovec> payload, uint32_t length);
  Fate receive_shutdown(uint32_t flags);
  void forward(std::span<const iovec> payload, size_t length);
  void count_forwarded(size_t bytes);
  void flush();
  void host_is_deaf();
  Fate read_socket(std::span<const Chain> chains, std::vector<uint32_t>& written, Time now);
  void socket_ended();
  void want_readable(bool wanted);
  void update_watch();
  uint32_t credit() const;
  uint32_t shutdown_due() const;
  PacketHeader packet(Op op, uint32_t length = 0);
  size_t kept() const { return kept_.size() - kept_done_; }

  uint64_t guest_cid_;
  ConnectionKey key_;
  Phase phase_;
  std::optional<Time> deadline_;
  std::unique_ptr<HostStream> stream_;
  std::string greeting_;

  // Towards the host.
  uint32_t buffer_bytes_;     // our buf_alloc
  uint32_t received_ = 0;     // from the guest, modulo 2^32
  uint32_t forwarded_ = 0;    // our fwd_cnt
  uint32_t announced_ = 0;    // the fwd_cnt the guest was told last
  std::string kept_;          // received, not yet taken by the socket
  size_t kept_done_ = 0;      // of which this many are out already
  bool guest_ended_ = false;  // the guest sends no more
  bool host_deaf_ = false;    // the socket takes no more

  // Towards the guest.
  uint32_t sent_ = 0;
  uint32_t guest_buffer_ = 0;     // the guest's buf_alloc
  uint32_t guest_forwarded_ = 0;  // the guest's fwd_cnt
  bool readable_ = false;         // the socket may have bytes; while false it is watched
  bool host_ended_ = false;       // the socket has reached its end
  bool guest_deaf_ = false;       // the guest receives no more

  bool owes_request_ = false;
  bool owes_response_ = false;
  bool owes_credit_update_ = false;
  bool owes_credit_request_ = false;
  uint32_t shutdown_told_ = 0;
  bool watching_readable_ = false;
  bool watching_writable_ = false;
};

}  // namespace gatehouse::bridge
