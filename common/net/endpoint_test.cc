#include "common/net/endpoint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace gatehouse {
namespace {

TEST(ParseEndpoint, ReadsBackWhatItWrites) {
  for (const char* text : {"tcp:127.0.0.1:3128", "tcp:[::1]:0", "udp:0.0.0.0:53", "unix:/run/x.sock"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint) << endpoint.error().message();
    EXPECT_EQ(endpoint->to_string(), text);
  }
}

TEST(ParseEndpoint, RefusesRatherThanGuesses) {
  for (const char* text :
       {"", "tcp", "tcp:", "tcp:localhost:80", "tcp:127.0.0.1", "tcp:127.0.0.1:", "tcp:127.0.0.1:65536",
        "tcp:127.0.0.1:8x", "tcp:127.0.0.1:-1", "tcp:0177.0.0.1:80", "unix:", "http:127.0.0.1:80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
  EXPECT_FALSE(parse_endpoint("unix:/" + std::string(200, 'x')));
}

TEST(UnixEndpoint, TakesNothingElse) {
  EXPECT_EQ(unix_endpoint("--x", "unix:/run/x.sock").value()->path, "/run/x.sock");
  EXPECT_FALSE(unix_endpoint("--x", "").value().has_value());
  EXPECT_EQ(unix_endpoint("--x", "tcp:127.0.0.1:1").error().message(), "--x tcp:127.0.0.1:1: expected unix:PATH");
  EXPECT_TRUE(unix_endpoint("--x", "unix:").error().message().starts_with("--x: "));
}

TEST(OpenSocket, ReplacesAStaleSocketButNoOtherFile) {
  const std::string path = ::testing::TempDir() + "/endpoint." + std::to_string(::getpid());
  const Endpoint endpoint{Endpoint::Kind::unix_stream, {}, 0, path};
  ASSERT_TRUE(open_socket(endpoint));
  ASSERT_TRUE(open_socket(endpoint));
  ::unlink(path.c_str());
  const Fd file(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  const auto refused = open_socket(endpoint);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), path + " exists and is not a socket");
  ::unlink(path.c_str());
}

TEST(GatherListeningSockets, RefusesToListenToNothing) {
  const auto sockets = gather_listening_sockets({});
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().message(), "nothing to listen on: pass sockets with LISTEN_FDS or name one with --listen");
}

TEST(TakeInheritedSockets, IgnoresSocketsMeantForAnotherProcess) {
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_PID", "1", 1);
  const auto sockets = take_inherited_sockets();
  ASSERT_TRUE(sockets);
  EXPECT_TRUE(sockets->empty());
  EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
}

TEST(TakeInheritedSockets, RefusesANumberThatIsNone) {
  ::setenv("LISTEN_FDS", "many", 1);
  ::setenv("LISTEN_PID", "1", 1);
  EXPECT_FALSE(take_inherited_sockets());
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_PID");
}

}  // namespace
}  // namespace gatehouse
