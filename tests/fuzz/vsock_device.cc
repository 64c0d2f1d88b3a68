// A guest that writes whatever it likes over its rings and packets while the device runs, and QEMU messages in any
// order: the device stops or goes on, never keeps a connection once stopped, and always works again after a reset.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>

#include "launcher/bridge/device.h"
#include "launcher/bridge/test_guest.h"
#include "launcher/bridge/test_stream.h"

using namespace gatehouse::bridge;
using test::message;
using test::raw;

namespace {

constexpr size_t kRingBytes = 2048;  // of guest memory from its start: both rings and the first buffers

void require(bool condition) {
  if (!condition) std::abort();
}

class House final : HostSide, DeviceHost {
 public:
  void run(FuzzedDataProvider& input) {
    reset();
    guest_.post_buffers();
    for (int step = 0; step < 100 && input.remaining_bytes() > 0; ++step) {
      switch (input.ConsumeIntegralInRange(0, 5)) {
        case 0:
          overwrite(input);
          break;
        case 1:
          send_packet(input);
          break;
        case 2:
          device_.work(now_);
          break;
        case 3:
          answer(input);
          break;
        case 4:
          qemu_says(input);
          break;
        case 5:
          muxer_.tick(now_ += std::chrono::seconds(1));
          break;
      }
      require(muxer_.size() <= kMaxConnections);
    }
    device_.work(now_);
    works_after_reset();
    device_.disconnect(now_);
    require(!device_.ready());
    muxer_.tick(now_ += kDrainTimeout);
    require(muxer_.size() == 0);
    streams_.clear();
    ends_.clear();
    tickets_.clear();
  }

 private:
  bool serves(uint32_t port) override { return port == 53; }
  void connect(const Ticket& ticket) override { tickets_.push_back(ticket); }
  void refused(const Refusal& refusal) override { require(!refusal.reason.empty()); }
  void output_ready() override { device_.work(now_); }
  void watch_kick(size_t, int) override {}
  void ring_broken(const std::string& why) override { require(!why.empty() && !device_.ready()); }

  void reset() {
    for (uint32_t queue = 0; queue < 2; ++queue) {
      require(device_.handle(message(VhostRequest::get_vring_base, raw(queue) + raw(uint32_t{0})), now_).has_value());
    }
    guest_.reboot();
    for (auto& each : guest_.setup()) require(device_.handle(std::move(each), now_).has_value());
    require(device_.ready());
  }

  void overwrite(FuzzedDataProvider& input) {
    const auto offset = input.ConsumeIntegralInRange<size_t>(0, kRingBytes - 1);
    const auto bytes = input.ConsumeRandomLengthString(std::min<size_t>(64, kRingBytes - offset));
    bytes.copy(guest_.ram().at(test::GuestRam::kPhysicalBase + offset), bytes.size());
  }

  // Kept apart from the descriptors' free list, which a hostile guest has no use for.
  void send_packet(FuzzedDataProvider& input) {
    test::GuestSocket socket{.guest_port = input.ConsumeIntegralInRange<uint32_t>(0, 3), .host_port = 53};
    auto header = socket.header(static_cast<Op>(input.ConsumeIntegralInRange(0, 8)));
    header.flags = input.ConsumeIntegralInRange<uint32_t>(0, 3);
    const auto payload = input.ConsumeRandomLengthString(200);
    header.length = static_cast<uint32_t>(payload.size());
    const uint64_t at = test::GuestRam::kPhysicalBase + (8 << 20);
    write_packet_header(header, guest_.ram().at(at));
    payload.copy(guest_.ram().at(at + kPacketHeaderBytes), payload.size());
    guest_.transmit_queue().descriptor(0) = {at, static_cast<uint32_t>(kPacketHeaderBytes + payload.size()), 0, 0};
    guest_.transmit_queue().offer(0);
  }

  void answer(FuzzedDataProvider& input) {
    if (!tickets_.empty()) {
      auto& far = ends_.emplace_back();
      auto stream = std::make_unique<test::ScriptedStream>(far);
      streams_.push_back(stream.get());
      const auto ticket = tickets_.front();
      tickets_.pop_front();
      muxer_.connected(ticket, std::move(stream));
    } else if (!ends_.empty()) {
      const auto index = input.ConsumeIntegralInRange<size_t>(0, ends_.size() - 1);
      ends_[index].to_read += std::string(input.ConsumeIntegral<uint16_t>(), 'x');
      if (ends_[index].open) streams_[index]->on_ready(true, true, now_);
    }
  }

  void qemu_says(FuzzedDataProvider& input) {
    const auto request = static_cast<VhostRequest>(input.ConsumeIntegralInRange<uint32_t>(0, 30));
    auto sent = message(request, input.ConsumeRandomLengthString(64), input.ConsumeBool() ? guest_.kick_fd(0) : -1,
                        input.ConsumeBool());
    if (!device_.handle(std::move(sent), now_)) {
      device_.disconnect(now_);
      reset();
    }
  }

  void works_after_reset() {
    device_.disconnect(now_);
    reset();
    guest_.post_buffers();
    guest_.send(test::GuestSocket{.guest_port = 77, .host_port = 9999}.header(Op::request));
    device_.work(now_);
    const auto packet = guest_.receive();
    require(packet && packet->header.op == Op::reset && packet->header.destination_port == 77);
  }

  Time now_ = Time() + std::chrono::hours(1);
  test::TestGuest guest_{{.queue_size = 16, .receive_payload = 64, .receive_buffers = 8}};
  std::deque<Ticket> tickets_;
  std::deque<test::FarEnd> ends_;
  std::vector<test::ScriptedStream*> streams_;
  Muxer muxer_{*this, kDefaultGuestCid};
  Device device_{*this, muxer_, kDefaultGuestCid};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static House house;
  FuzzedDataProvider input(data, size);
  house.run(input);
  return 0;
}
