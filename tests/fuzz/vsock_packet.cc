// Any sequence of packets, socket events and time: the muxer never holds more connections than its limit, never sends
// the guest more than the guest's credit, writes to the host only what the guest sent, and always comes to rest.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <deque>
#include <map>

#include "launcher/bridge/muxer.h"
#include "launcher/bridge/test_stream.h"

using namespace gatehouse::bridge;

namespace {

constexpr size_t kLimit = 6;
constexpr size_t kPayloadRoom = 40;

void require(bool condition) {
  if (!condition) std::abort();
}

class House final : HostSide {
 public:
  explicit House(FuzzedDataProvider& input) : input_(input) {}

  void run() {
    for (int step = 0; step < 400 && input_.remaining_bytes() > 0; ++step) {
      switch (input_.ConsumeIntegralInRange(0, 7)) {
        case 0:
        case 1:
        case 2:
          guest_sends();
          break;
        case 3:
          answer_ticket();
          break;
        case 4:
          host_acts();
          break;
        case 5:
          take_packets(input_.ConsumeIntegralInRange<size_t>(0, 8));
          break;
        case 6:
          pass_time();
          break;
        case 7:
          muxer_.open(port(), fresh_stream(), now_);
          break;
      }
      require(muxer_.size() <= kLimit);
    }
    // Once nothing new comes in, everything due goes out in bounded time.
    for (auto& far : ends_) far.to_read.clear();
    take_packets(5000);
    require(!muxer_.due());
    muxer_.close_all(now_);
    now_ += kDrainTimeout;
    muxer_.tick(now_);
    require(muxer_.size() == 0);
    for (const auto& far : ends_) require(!far.open);
  }

 private:
  bool serves(uint32_t host_port) override { return host_port < 3; }
  void connect(const Ticket& ticket) override { tickets_.push_back(ticket); }
  void refused(const Refusal& refusal) override { require(!refusal.rule.empty() && !refusal.reason.empty()); }
  void output_ready() override {}

  uint32_t port() { return input_.ConsumeIntegralInRange<uint32_t>(0, 4); }

  void guest_sends() {
    PacketHeader header;
    header.source_cid = input_.ConsumeIntegralInRange(0, 20) == 0 ? 9 : 3;
    header.destination_cid = kHostCid;
    header.source_port = port();
    header.destination_port = input_.ConsumeBool() ? port() : kFirstEphemeralPort + port();
    header.op = static_cast<Op>(input_.ConsumeIntegralInRange(0, 8));
    header.type = input_.ConsumeIntegralInRange(0, 20) == 0 ? 2 : kTypeStream;
    header.flags = input_.ConsumeIntegralInRange<uint32_t>(0, 4);
    header.buffer_size = input_.ConsumeIntegral<uint32_t>();
    header.forwarded = input_.ConsumeBool() ? sent_[{header.source_port, header.destination_port}]
                                            : input_.ConsumeIntegral<uint32_t>();
    const std::string payload = header.op == Op::data ? input_.ConsumeRandomLengthString(2000) : std::string();
    header.length = input_.ConsumeIntegralInRange(0, 20) == 0 ? input_.ConsumeIntegral<uint32_t>()
                                                              : static_cast<uint32_t>(payload.size());
    std::string bytes(kPacketHeaderBytes, '\0');
    write_packet_header(header, bytes.data());
    bytes += payload;
    if (input_.ConsumeIntegralInRange(0, 30) == 0) bytes.resize(input_.ConsumeIntegralInRange<size_t>(0, bytes.size()));
    const size_t cut = std::min<size_t>(bytes.size(), input_.ConsumeIntegral<uint8_t>());
    const Chain chain{0, {{bytes.data(), cut}, {bytes.data() + cut, bytes.size() - cut}}, bytes.size()};
    if (header.source_cid == 3 && bytes.size() >= kPacketHeaderBytes) {
      credit_[{header.source_port, header.destination_port}] = header.buffer_size;
      forwarded_[{header.source_port, header.destination_port}] = header.forwarded;
      if (header.op == Op::request) sent_[{header.source_port, header.destination_port}] = 0;
    }
    guest_bytes_ += payload.size();
    if (muxer_.can_receive()) muxer_.receive(chain, now_);
  }

  std::unique_ptr<HostStream> fresh_stream() {
    auto& far = ends_.emplace_back();
    auto stream = std::make_unique<test::ScriptedStream>(far);
    streams_.push_back(stream.get());
    far.room = input_.ConsumeIntegralInRange<size_t>(0, 3000);
    return stream;
  }

  void answer_ticket() {
    if (tickets_.empty()) return;
    const auto ticket = tickets_.front();
    tickets_.pop_front();
    if (input_.ConsumeBool()) {
      muxer_.connected(ticket, fresh_stream());
    } else {
      muxer_.refused(ticket, "away");
    }
  }

  void host_acts() {
    if (ends_.empty()) return;
    const auto index = input_.ConsumeIntegralInRange<size_t>(0, ends_.size() - 1);
    auto& far = ends_[index];
    far.to_read += input_.ConsumeRandomLengthString(500);
    far.room += input_.ConsumeIntegral<uint8_t>();
    far.ended = far.ended || input_.ConsumeIntegralInRange(0, 9) == 0;
    far.gone = far.gone || (far.ended && input_.ConsumeBool());
    far.deaf = far.deaf || far.gone || input_.ConsumeIntegralInRange(0, 19) == 0;
    far.reset = far.reset || input_.ConsumeIntegralInRange(0, 19) == 0;
    const bool readable = far.watches_readable && (!far.to_read.empty() || far.ended || far.reset);
    const bool writable = far.watches_writable && (far.room > 0 || far.deaf || far.reset);
    if (far.open && (readable || writable)) streams_[index]->on_ready(readable, writable, now_);
    size_t written = 0;
    for (const auto& each : ends_) written += each.written.size();
    require(written <= guest_bytes_ + ends_.size() * sizeof "OK 1073741824");
  }

  void take_packets(size_t most) {
    for (size_t i = 0; i < most && muxer_.due(); ++i) {
      std::string one(kPacketHeaderBytes + kPayloadRoom, '\0');
      std::string two = one;
      const std::vector<Chain> chains{{0, {{one.data(), one.size()}}, one.size()},
                                      {1, {{two.data(), two.size()}}, two.size()}};
      std::vector<uint32_t> written;
      muxer_.fill(chains, written, now_);
      require(written.size() <= 2);
      if (!written.empty()) check_packet(one, written[0]);
      if (written.size() == 2) check_packet(two, written[1]);
    }
  }

  void check_packet(const std::string& bytes, uint32_t written) {
    const auto header = read_packet_header(bytes.data());
    require(header.source_cid == kHostCid && header.destination_cid == 3 && header.type == kTypeStream);
    require(written == kPacketHeaderBytes + header.length && (header.length == 0 || header.op == Op::data));
    const ConnectionKey key{header.destination_port, header.source_port};
    if (header.op == Op::request) sent_[key] = credit_[key] = forwarded_[key] = 0;
    if (header.op != Op::data) return;
    require(header.length > 0);
    sent_[key] += header.length;
    require(sent_[key] - forwarded_[key] <= credit_[key]);
  }

  void pass_time() {
    now_ += std::chrono::seconds(input_.ConsumeIntegralInRange(0, 12));
    muxer_.tick(now_);
  }

  FuzzedDataProvider& input_;
  Time now_ = Time() + std::chrono::seconds(1000);
  Muxer muxer_{*this, 3, kLimit};
  std::deque<Ticket> tickets_;
  std::deque<test::FarEnd> ends_;
  std::vector<test::ScriptedStream*> streams_;
  std::map<ConnectionKey, uint32_t> sent_, credit_, forwarded_;
  size_t guest_bytes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  House(input).run();
  return 0;
}
