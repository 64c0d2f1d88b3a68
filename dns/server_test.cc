#include "dns/server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "common/audit/reader.h"
#include "common/base/uuid.h"
#include "dns/query_builder.h"

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

// A gate on real sockets and a real audit log. The gate runs on the test's thread while `client` runs on another.
class DnsServer : public ::testing::Test {
 protected:
  DnsServer() : folder_(std::filesystem::temp_directory_path() / ("gatehouse-dns-" + make_uuid())) {
    std::filesystem::create_directory(folder_);
  }
  ~DnsServer() override { std::filesystem::remove_all(folder_); }

  std::string audit_path() const { return folder_ / "audit.db"; }

  void serve(const std::function<void()>& client) {
    Loop loop;
    auto audit = audit::AuditLog::open({audit_path(), "test", "dns"}).value();
    Pool pool;
    Resolver resolver(
        [](const policy::DnsQuestion& question) {
          return question.name.ends_with("allowed.example") ? Decision{Verdict::allow, "ok", "fine"} : Decision{};
        },
        pool);
    Server server(loop, resolver, *audit, nullptr);
    std::vector<InheritedSocket> sockets;
    for (const auto& text :
         {"unix:" + (folder_ / "dns.sock").string(), "tcp:127.0.0.1:0"s, "udp:127.0.0.1:0"s, "udp:0.0.0.0:0"s}) {
      const auto endpoint = parse_endpoint(text).value();
      sockets.push_back({open_socket(endpoint).value(), "", endpoint.kind == Endpoint::Kind::udp});
      addresses_[sockets.size() - 1].length = sizeof(sockaddr_storage);
      ::getsockname(sockets.back().fd.get(), reinterpret_cast<sockaddr*>(&addresses_[sockets.size() - 1].storage),
                    &addresses_[sockets.size() - 1].length);
    }
    ASSERT_TRUE(server.listen(std::move(sockets)));
    std::thread thread([&] {
      client();
      loop.post([&] { loop.stop(); });
    });
    loop.run();
    thread.join();
  }

  enum Where { kUnix, kTcp, kUdp, kUdpAnywhere };
  Fd dial(Where where) const {
    auto address = addresses_[where];
    const int type = where >= kUdp ? SOCK_DGRAM : SOCK_STREAM;
    Fd fd(::socket(address.get()->sa_family, type | SOCK_CLOEXEC, 0));
    if (where == kUdpAnywhere) {
      reinterpret_cast<sockaddr_in*>(&address.storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);  // 127.0.0.2
    }
    EXPECT_EQ(::connect(fd.get(), address.get(), address.length), 0);
    return fd;
  }

  static std::string frame(const std::string& message) {
    std::string out;
    append_frame(message, out);
    return out;
  }
  static bool readable(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return ::poll(&waiting, 1, 5000) == 1;
  }
  // The next reply, or "" at the end of the stream or after five seconds.
  static std::string reply(const Fd& fd, MessageReader& reader) {
    while (true) {
      if (const auto message = reader.next()) return std::string(*message);
      char bytes[4096];
      if (!readable(fd.get())) return "";
      const ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
      if (got <= 0) return "";
      reader.feed({bytes, static_cast<size_t>(got)});
    }
  }
  static std::string exchange(const Fd& fd, const std::string& message) {
    EXPECT_TRUE(write_all(fd.get(), frame(message)));
    MessageReader reader;
    return reply(fd, reader);
  }
  static std::string exchange_datagram(const Fd& fd, const std::string& message) {
    EXPECT_EQ(::send(fd.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
    char bytes[4096];
    if (!readable(fd.get())) return "";
    const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
    return {bytes, static_cast<size_t>(std::max<ssize_t>(got, 0))};
  }
  static std::string address_in(const std::string& bytes) {
    const auto message = read_message(bytes);
    return message && message->answers.size() == 1 ? std::string(message->answers[0].data) : "";
  }
  std::vector<audit::Entry> rows() const {
    return audit::AuditReader::open(audit_path()).value()->next_entries({}).value();
  }

  std::filesystem::path folder_;
  SocketAddress addresses_[4];
};

TEST_F(DnsServer, AnswersOnEverySocketWithOneAddressAndOneRow) {
  serve([&] {
    const std::string query = QueryBuilder().ask("x.allowed.example");
    EXPECT_EQ(address_in(exchange(dial(kUnix), query)), "\xc6\x12\0\1"s);
    EXPECT_EQ(rows().size(), 1U) << "committed before the answer";
    EXPECT_EQ(address_in(exchange(dial(kTcp), query)), "\xc6\x12\0\1"s);
    EXPECT_EQ(address_in(exchange_datagram(dial(kUdp), query)), "\xc6\x12\0\1"s);
    EXPECT_EQ(address_in(exchange_datagram(dial(kUdpAnywhere), query)), "\xc6\x12\0\1"s) << "from the address asked";
    EXPECT_EQ(rows().size(), 1U);
  });
  ASSERT_EQ(rows().size(), 2U) << "and one that sums up the rest at the end";
  EXPECT_EQ(rows()[1].reason, "asked 3 more times, first in event " + rows()[0].event_id + ": fine");
}

TEST_F(DnsServer, AnswersFirstQuestionsOverUdpAfterTheirRows) {
  serve([&] {
    for (const auto where : {kUdp, kUdpAnywhere}) {
      const auto fd = dial(where);
      const std::string query = QueryBuilder().ask("n" + std::to_string(where) + ".allowed.example");
      EXPECT_EQ(address_in(exchange_datagram(fd, query)).size(), 4U);
    }
  });
  EXPECT_EQ(rows().size(), 2U);
}

TEST_F(DnsServer, AnswersManyQuestionsInFlightOnOneConnection) {
  constexpr int kQueries = 1000;
  serve([&] {
    const auto fd = dial(kUnix);
    std::string all;
    for (int i = 0; i < kQueries; ++i) {
      all += frame(QueryBuilder().id(static_cast<uint16_t>(i)).ask("n" + std::to_string(i) + ".allowed.example"));
    }
    std::thread writer([&] { EXPECT_TRUE(write_all(fd.get(), all)); });
    std::set<std::string> ids, addresses;
    MessageReader reader;
    for (int i = 0; i < kQueries; ++i) {
      const auto bytes = reply(fd, reader);
      ids.insert(bytes.substr(0, 2));
      addresses.insert(address_in(bytes));
    }
    writer.join();
    EXPECT_EQ(ids.size(), size_t{kQueries});
    EXPECT_EQ(addresses.size(), size_t{kQueries});
  });
}

TEST_F(DnsServer, AnswersAPeerThatHasFinishedSending) {
  serve([&] {
    for (const auto where : {kUnix, kTcp}) {
      const auto fd = dial(where);
      ASSERT_TRUE(write_all(fd.get(), frame(QueryBuilder().ask("half" + std::to_string(where) + ".allowed.example"))));
      ::shutdown(fd.get(), SHUT_WR);
      MessageReader reader;
      EXPECT_EQ(address_in(reply(fd, reader)).size(), 4U);
      EXPECT_EQ(reply(fd, reader), "");
    }
  });
}

TEST_F(DnsServer, ClosesOnWhatIsNoDnsAndServesTheOthers) {
  serve([&] {
    const auto other = dial(kTcp);
    const auto fd = dial(kTcp);
    EXPECT_EQ(exchange(fd, "junk"), "");
    EXPECT_EQ(address_in(exchange(other, QueryBuilder().ask("y.allowed.example"))).size(), 4U);
  });
  const auto all = rows();
  EXPECT_EQ(all.at(0).rule_id, "dns.malformed");
  EXPECT_EQ(all.at(0).reason, "malformed message: message of 4 bytes has no header");
}

TEST_F(DnsServer, StopsReadingFromAPeerThatDoesNotRead) {
  serve([&] {
    const auto deaf = dial(kUnix);
    const auto queries = frame(QueryBuilder().ask("z.allowed.example"));
    size_t taken = 0;
    pollfd waiting{deaf.get(), POLLOUT, 0};
    while (::poll(&waiting, 1, 300) == 1) {
      const ssize_t put = ::send(deaf.get(), queries.data(), queries.size(), MSG_DONTWAIT);
      if (put > 0) taken += static_cast<size_t>(put);
      ASSERT_LT(taken, size_t{16} << 20) << "read without bound";
    }
    EXPECT_EQ(address_in(exchange(dial(kUnix), QueryBuilder().ask("z.allowed.example"))).size(), 4U);
  });
}

TEST_F(DnsServer, ClosesTheMostSilentConnectionWhenThereAreTooMany) {
  serve([&] {
    const auto first = dial(kUnix);
    EXPECT_EQ(address_in(exchange(first, QueryBuilder().ask("f.allowed.example"))).size(), 4U);
    std::vector<Fd> crowd;
    for (size_t i = 0; i < kMaxConnections; ++i) crowd.push_back(dial(kUnix));
    EXPECT_EQ(address_in(exchange(crowd.back(), QueryBuilder().ask("f.allowed.example"))).size(), 4U);
    MessageReader reader;
    EXPECT_TRUE(readable(first.get()));
    EXPECT_EQ(reply(first, reader), "") << "closed";
  });
}

TEST_F(DnsServer, RefusesADatagramLongerThanItAnnounces) {
  serve([&] {
    const std::string query = QueryBuilder().ask("big.allowed.example").raw(std::string(2000, 'x'));
    const auto bytes = exchange_datagram(dial(kUdp), query);
    ASSERT_EQ(bytes.size(), kHeaderBytes);
    EXPECT_EQ(bytes[3] & kRcodeMask, 1);
  });
  EXPECT_EQ(rows().at(0).rule_id, "dns.malformed");
}

}  // namespace
}  // namespace gatehouse::dns
