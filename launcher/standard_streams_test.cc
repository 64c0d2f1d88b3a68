#include "launcher/standard_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace gatehouse::launcher {
namespace {

class StandardStreams : public testing::Test {
 protected:
  void run() {
    Timer too_late(loop_, [this] {
      ADD_FAILURE() << "nothing happened";
      loop_.stop();
    });
    too_late.start(std::chrono::seconds(20));
    loop_.run();
  }

  Loop loop_;
};

TEST_F(StandardStreams, APipeIsReadToItsEnd) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  std::string got;
  auto input = InputStream::open(loop_, pipe->read.get(), [&](std::string_view bytes) {
    got += bytes;
    if (bytes.empty()) loop_.stop();
  });
  ASSERT_TRUE(input);
  (*input)->resume();
  ASSERT_TRUE(write_all(pipe->write.get(), "some words"));
  pipe->write.reset();
  run();
  EXPECT_EQ(got, "some words");
}

TEST_F(StandardStreams, AFileIsReadToItsEnd) {
  const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(file.get(), std::string(200'000, 'x')));
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  size_t got = 0;
  auto input = InputStream::open(loop_, file.get(), [&](std::string_view bytes) {
    got += bytes.size();
    if (bytes.empty()) loop_.stop();
  });
  ASSERT_TRUE(input);
  (*input)->resume();
  run();
  EXPECT_EQ(got, 200'000U);
}

TEST_F(StandardStreams, ThePipeKeepsItsBlockingMode) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  auto input = InputStream::open(loop_, pipe->read.get(), [](std::string_view) {});
  auto output = OutputStream::open(loop_, pipe->write.get(), [] {});
  ASSERT_TRUE(input && output);
  (*input)->resume();
  (*output)->write("x");
  loop_.turn();
  EXPECT_EQ(::fcntl(pipe->read.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(pipe->write.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(StandardStreams, AReaderThatDoesNotReadBlocksNobody) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  auto output = OutputStream::open(loop_, pipe->write.get(), [this] { loop_.stop(); });
  ASSERT_TRUE(output);
  const std::string much(1 << 20, 'x');
  (*output)->write(much);
  for (int i = 0; i < 100; ++i) loop_.turn();
  EXPECT_GT((*output)->queued(), 0U);

  size_t got = 0;
  auto input = InputStream::open(loop_, pipe->read.get(), [&](std::string_view bytes) { got += bytes.size(); });
  ASSERT_TRUE(input);
  (*input)->resume();
  run();
  while (got < much.size()) loop_.turn();
  EXPECT_EQ(got, much.size());
}

TEST_F(StandardStreams, AReaderThatHasGoneFailsTheStreamAndDrainsIt) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  auto output = OutputStream::open(loop_, pipe->write.get(), [this] { loop_.stop(); });
  ASSERT_TRUE(output);
  pipe->read.reset();
  (*output)->write("x");
  run();
  EXPECT_TRUE((*output)->failed());
  EXPECT_EQ((*output)->queued(), 0U);
}

}  // namespace
}  // namespace gatehouse::launcher
