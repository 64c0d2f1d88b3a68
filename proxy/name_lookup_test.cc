#include "proxy/name_lookup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "common/base/uuid.h"

namespace gatehouse::proxy {
namespace {

using std::chrono::milliseconds;

// A DNS gate of few words: counts how often each address is asked for, and says that it is nobody's.
class FakeDns {
 public:
  explicit FakeDns(Loop& loop)
      : endpoint_{Endpoint::Kind::unix_stream, {}, 0, ::testing::TempDir() + "/dns." + make_uuid()} {
    listener_ = Listener::start(loop, open_socket(endpoint_).value(), [this](auto stream) {
                  stream_ = std::move(stream);
                  stream_->set_callbacks({.data = [this](std::string_view bytes) { read(bytes); },
                                          .end = [] {},
                                          .error = [](const Error&) {},
                                          .drained = {}});
                  stream_->start_reading();
                }).value();
  }
  ~FakeDns() { ::unlink(endpoint_.path.c_str()); }

  const Endpoint& endpoint() const { return endpoint_; }
  std::map<std::string, int> asked;  // by the first label, the address's last octet
  std::function<void()> on_question = [] {};

 private:
  static constexpr size_t kNameAt = 2 + 12;

  void read(std::string_view bytes) {
    input_ += bytes;
    while (input_.size() > kNameAt) {
      const size_t length = static_cast<size_t>(static_cast<uint8_t>(input_[1])) + 2;
      if (input_.size() < length) return;
      auto answer = input_.substr(0, length);
      ++asked[answer.substr(kNameAt + 1, static_cast<uint8_t>(answer[kNameAt]))];
      answer[4] = '\x80';  // a response
      answer[5] = '\x03';  // NXDOMAIN
      stream_->write(answer);
      input_.erase(0, length);
      on_question();
    }
  }

  Endpoint endpoint_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> stream_;
  std::string input_;
};

IpAddress pool_address(uint8_t last) { return IpAddress::v4({198, 18, 0, last}); }

TEST(NameLookup, AsksAgainForWhatIsHeldAndForNothingElse) {
  Loop loop;
  FakeDns dns(loop);
  NameLookup names(loop, dns.endpoint(), milliseconds(60));
  names.find(pool_address(1), [](const auto&) {});
  auto two = names.hold(pool_address(2));
  const auto also_two = names.hold(pool_address(2));
  const auto three = names.hold(pool_address(3));
  dns.on_question = [&] {
    if (dns.asked["2"] >= 5 && dns.asked["3"] >= 5) loop.stop();
  };
  loop.run();
  EXPECT_EQ(dns.asked["1"], 1);
  EXPECT_LE(std::abs(dns.asked["2"] - dns.asked["3"]), 1) << "in turn, and an address held twice counts once";

  two.reset();  // still held by the other
  const int before = dns.asked["2"];
  dns.on_question = [&] {
    if (dns.asked["2"] > before) loop.stop();
  };
  loop.run();
}

TEST(NameLookup, StopsAskingWhenNothingIsHeld) {
  Loop loop;
  FakeDns dns(loop);
  NameLookup names(loop, dns.endpoint(), milliseconds(60));
  auto lease = names.hold(pool_address(2));
  Timer ticks(loop, [&] { loop.stop(); });
  dns.on_question = [&] {
    lease.reset();
    dns.asked.clear();
    ticks.start(milliseconds(200));  // three renewals' time
  };
  loop.run();
  EXPECT_TRUE(dns.asked.empty());
}

TEST(NameLookup, MayEndBeforeALeaseDoes) {
  Loop loop;
  FakeDns dns(loop);
  NameLookup::Lease lease;
  {
    NameLookup names(loop, dns.endpoint());
    lease = names.hold(pool_address(2));
  }
  lease.reset();
}

}  // namespace
}  // namespace gatehouse::proxy
