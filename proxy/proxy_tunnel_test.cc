#include "proxy/proxy_tunnel.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

TEST(TunnelRequest, NamesTheTargetAndPerhapsWhoAsks) {
  EXPECT_EQ(tunnel_request("api.example.com", 443, ""),
            "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n");
  EXPECT_EQ(tunnel_request("api.example.com", 80, "bot:***"),
            "CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com:80\r\n"
            "Proxy-Authorization: Basic Ym90OioqKg==\r\n\r\n");
}

TEST(TunnelAnswer, IsReadHoweverItIsCut) {
  const std::string wire = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
  for (size_t size = 0; size < wire.size(); ++size) {
    const auto part = read_tunnel_answer(std::string_view(wire).substr(0, size));
    ASSERT_TRUE(part) << size << part.error().message();
    ASSERT_FALSE(*part) << size;
  }
  const auto answer = read_tunnel_answer(wire + "behind it");
  ASSERT_TRUE(answer && *answer);
  EXPECT_TRUE((*answer)->open());
  EXPECT_EQ((*answer)->bytes, wire.size());
  EXPECT_EQ((*answer)->reason, "Connection established");
}

TEST(TunnelAnswer, SaysWhyThereIsNoTunnel) {
  const struct {
    const char* wire;
    int status;
    const char* reason;
  } cases[] = {{"HTTP/1.0 407 Proxy Authentication Required\r\n\r\n", 407, "Proxy Authentication Required"},
               {"HTTP/1.1 403\r\nServer: x\r\n\r\nbody", 403, ""},
               {"HTTP/1.1 503 \x1b[31mred\r\n\r\n", 503, "\\x1b[31mred"},
               {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "Switching Protocols"},
               {"HTTP/1.1 302 Found\r\nLocation: http://login\r\n\r\n", 302, "Found"}};
  for (const auto& [wire, status, reason] : cases) {
    const auto answer = read_tunnel_answer(wire);
    ASSERT_TRUE(answer && *answer) << wire;
    EXPECT_EQ((*answer)->status, status);
    EXPECT_EQ((*answer)->reason, reason);
    EXPECT_FALSE((*answer)->open());
  }
}

TEST(TunnelAnswer, IsRefusedWhenItIsNone) {
  const std::string cases[] = {"SSH-2.0-x\r\n",
                               "\x15\x03\x03",
                               "HTTP/2 200\r\n\r\n",
                               "HTTP/1.1  200 x\r\n\r\n",
                               "HTTP/1.1 20\r\n\r\n",
                               "HTTP/1.1 200x\r\n\r\n",
                               "\r\n\r\n",
                               "HTTP/1.1 200 " + std::string(kMaxTunnelAnswerBytes, 'x')};
  for (const auto& wire : cases) EXPECT_FALSE(read_tunnel_answer(wire)) << wire.substr(0, 40);
  std::string interim;
  while (interim.size() <= kMaxTunnelAnswerBytes) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_FALSE(read_tunnel_answer(interim));
}

}  // namespace
}  // namespace gatehouse::proxy
