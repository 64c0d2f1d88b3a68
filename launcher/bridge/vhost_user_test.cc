#include "launcher/bridge/vhost_user.h"

#include <gtest/gtest.h>

#include <cstring>

namespace gatehouse::bridge {
namespace {

std::string header(uint32_t request, uint32_t flags, uint32_t size) {
  std::string bytes(kVhostHeaderBytes, '\0');
  std::memcpy(bytes.data(), &request, 4);
  std::memcpy(bytes.data() + 4, &flags, 4);
  std::memcpy(bytes.data() + 8, &size, 4);
  return bytes;
}

TEST(VhostReader, PutsAMessageTogetherFromSingleBytes) {
  VhostReader reader;
  const std::string bytes = header(8, 1, 8) + "12345678";
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    ASSERT_LE(1u, reader.wanted());
    const auto message = reader.add(bytes.substr(i, 1), {});
    ASSERT_TRUE(message);
    ASSERT_FALSE(*message);
  }
  const auto message = reader.add(bytes.substr(bytes.size() - 1), {});
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->request, VhostRequest::set_vring_num);
  EXPECT_EQ((*message)->payload, "12345678");
  EXPECT_FALSE((*message)->needs_ack);
  EXPECT_EQ(reader.wanted(), kVhostHeaderBytes) << "ready for the next one";
}

TEST(VhostReader, WantsNoByteOfTheNextMessage) {
  VhostReader reader;
  EXPECT_EQ(reader.wanted(), kVhostHeaderBytes);
  ASSERT_TRUE(reader.add(header(8, 1, 5), {}));
  EXPECT_EQ(reader.wanted(), 5u);
}

TEST(VhostReader, HandsDescriptorsOverWithTheirMessage) {
  VhostReader reader;
  std::vector<Fd> fds;
  fds.push_back(std::move(make_pipe()->read));
  const int number = fds[0].get();
  const auto message = reader.add(header(3, 9, 0), std::move(fds));
  ASSERT_TRUE(message && *message);
  ASSERT_EQ((*message)->fds.size(), 1u);
  EXPECT_EQ((*message)->fds[0].get(), number);
  EXPECT_TRUE((*message)->needs_ack);
}

TEST(VhostReader, RefusesHeadersThatMakeNoSense) {
  struct Case {
    uint32_t flags, size;
    std::string error;
  };
  for (const auto& [flags, size, error] :
       {Case{0, 0, "vhost-user version 0"}, Case{2, 0, "vhost-user version 2"}, Case{5, 0, "a reply nobody asked for"},
        Case{1, 4097, "a message of 4097 bytes"}, Case{1, UINT32_MAX, "a message of 4294967295 bytes"}}) {
    VhostReader reader;
    const auto message = reader.add(header(1, flags, size), {});
    ASSERT_FALSE(message) << error;
    EXPECT_EQ(message.error().message(), error);
  }
}

TEST(VhostReader, RefusesTooManyDescriptors) {
  VhostReader reader;
  std::vector<Fd> fds(kMaxVhostFds + 1);
  const auto message = reader.add(header(1, 1, 0), std::move(fds));
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().message(), "more than 8 descriptors with a message");
}

TEST(VhostReply, IsMarkedAsOne) {
  EXPECT_EQ(vhost_reply(VhostRequest::get_features, "12345678"), header(1, 5, 8) + "12345678");
}

}  // namespace
}  // namespace gatehouse::bridge
