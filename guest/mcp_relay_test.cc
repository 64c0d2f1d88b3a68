#include "guest/mcp_relay.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>

namespace gatehouse::guest {
namespace {

class McpRelay : public testing::Test {
 protected:
  using Pair = std::pair<Fd, Fd>;
  static Pair pair() {
    auto made = make_socket_pair();
    EXPECT_TRUE(made);
    return std::move(made).value();
  }
  Pair host_ = pair();    // the gateway's end, and ours
  Pair input_ = pair();   // the agent's end, and ours
  Pair output_ = pair();  // likewise
};

TEST_F(McpRelay, CarriesBothWaysAndLetsTheGatewayAnswerAfterTheInputHasEnded) {
  ASSERT_TRUE(write_all(input_.first.get(), "question\n"));
  ::shutdown(input_.first.get(), SHUT_WR);
  ASSERT_TRUE(write_all(host_.first.get(), "first\n"));
  ::shutdown(host_.first.get(), SHUT_WR);
  EXPECT_TRUE(carry(std::move(host_.second), input_.second.get(), output_.second.get()));
  output_.second.reset();
  EXPECT_EQ(read_all(output_.first.get(), 100).value(), "first\n");
  EXPECT_EQ(read_all(host_.first.get(), 100).value(), "question\n");
}

TEST_F(McpRelay, EndsWhenNobodyReadsItsOutput) {
  output_.first.reset();
  ASSERT_TRUE(write_all(host_.first.get(), "first\n"));
  std::signal(SIGPIPE, SIG_IGN);
  EXPECT_FALSE(carry(std::move(host_.second), input_.second.get(), output_.second.get()));
}

}  // namespace
}  // namespace gatehouse::guest
