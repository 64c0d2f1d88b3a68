#include "dlp/known_secrets.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/base/fd.h"

namespace gatehouse::dlp {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string with_value(const std::string& value) { return R"({"secrets":[{"name":"A","value":")" + value + R"("}]})"; }

TEST(KnownSecrets, RefuseWhatIsWrongInWordsWithoutTheValue) {
  const struct {
    std::string json, words;
  } cases[] = {
      {"", "is no JSON"},
      {"[]", "must be an object"},
      {R"({"secrets":[{"name":"A","value":"hunter2-hunter2"]})", "is no JSON"},
      {R"({"secret":[]})", "unknown key \"secret\""},
      {R"({"secrets":{}})", "\"secrets\" must be a list"},
      {R"({"secrets":[{"name":"A","value":"hunter2-hunter2","x":1}]})", "secrets[0]: unknown key \"x\""},
      {R"({"secrets":[{"value":"hunter2-hunter2"}]})", "secrets[0]: has no \"name\""},
      {R"({"secrets":[{"name":"A"}]})", "secrets[0] (A): has no \"value\""},
      {R"({"secrets":[{"name":"A","value":"hunter2-hunter2","placeholder":"short"}]})",
       "secrets[0] (A): a placeholder ends with 32 bytes of its own"},
      {R"({"canaries":[{"name":"A","value":"hunter2-hunter2","placeholder":"x"}]})", "unknown key \"placeholder\""},
      {R"({"secrets":[{"name":"A","value":7}]})", "secrets[0] (A): \"value\" must be a string"},
      {R"({"secrets":[{"name":"A B","value":"hunter2-hunter2"}]})", "\"name\" must be 1 to 64 letters"},
      {R"({"secrets":[{"name":"A","value":"hunter2-1"}],"canaries":[{"name":"A","value":"hunter2-2"}]})",
       "canaries[0] (A): the name is taken"},
      {R"({"secrets":[{"name":"A","value":"hunter2-1","value":"hunter2-2"}]})", "a key is given twice"},
      {with_value("hun12"), "a value of 5 bytes would be found everywhere"},
      {with_value("hun12\\n\\n"), "a value of 5 bytes would be found everywhere"},
      {with_value("hhhhhhhuuu"), "fewer than 3 different bytes"},
      {with_value(std::string(4096, 'h') + std::string(4096, 'u') + "n"), "larger than 8192 bytes"},
      {R"({"key":"00112233445566778899aabbccddee"})", "\"key\" must be 16 to 64 bytes in hex"},
      {R"({"key":"00112233445566778899aabbccddeexx"})", "\"key\" must be 16 to 64 bytes in hex"},
      {R"({"key":"0011223344556677-899aabbccddeeff"})", "\"key\" must be 16 to 64 bytes in hex"},
  };
  for (const auto& one : cases) {
    const auto known = KnownSecrets::parse(one.json);
    ASSERT_FALSE(known) << one.json;
    EXPECT_THAT(known.error().message(), HasSubstr(one.words));
    EXPECT_THAT(known.error().message(), Not(HasSubstr("hun"))) << "the value";
  }
}

TEST(KnownSecrets, RefuseMoreThanTheirNumber) {
  std::string json = R"({"secrets":[)";
  for (size_t i = 0; i <= kMaxSecrets; ++i) {
    json += fmt::format(R"({}{{"name":"S{}","value":"value-number-{}"}})", i == 0 ? "" : ",", i, i);
  }
  const auto known = KnownSecrets::parse(json + "]}");
  ASSERT_FALSE(known);
  EXPECT_THAT(known.error().message(), HasSubstr("more than 256"));
}

TEST(KnownSecrets, AreNoneWhenNoneAreGiven) {
  const auto known = KnownSecrets::parse("{}");
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->empty());
  EXPECT_EQ(known->fingerprint_key().size(), 32U) << "drawn";
}

TEST(KnownSecrets, TakeTheSessionsKey) {
  const auto known = KnownSecrets::parse(R"({"key":"30313233343536373839414243444546"})");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->fingerprint_key(), "0123456789ABCDEF");
}

TEST(KnownSecrets, LoseTheirFinalLineBreakAndNothingElse) {
  const auto known = KnownSecrets::parse(with_value(" pass word \\r\\n"));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->secrets()[0].text, " pass word ");
}

TEST(KnownSecrets, HaveAThresholdByTheirLength) {
  const struct {
    std::string value;
    size_t threshold;
  } cases[] = {{"a1B2c3D4", 12},
               {"0123456789abcdef", 12},
               {"0123456789abcdefghijABCDEFGHIJklmno", 14},
               {"0123456789abcdefghijABCDEFGHIJklmnopqrstuvwxyz", 16}};
  for (const auto& one : cases) {
    const auto known = KnownSecrets::parse(with_value(one.value));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->secrets()[0].threshold, one.threshold) << one.value;
  }
}

TEST(KnownSecrets, AreReadFromAPipe) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(write_all(pipe->write.get(), with_value("hunter2-hunter2")));
  pipe->write.reset();
  const int number = pipe->read.release();
  const auto known = KnownSecrets::load(fmt::format("fd:{}", number));
  ASSERT_TRUE(known) << known.error().message();
  EXPECT_EQ(known->secrets()[0].name, "A");
  EXPECT_EQ(::fcntl(number, F_GETFD), -1) << "the pipe is closed";
}

TEST(KnownSecrets, AreReadFromAFileThatIsOursAlone) {
  const std::string path = testing::TempDir() + "/known-secrets-" + std::to_string(::getpid());
  std::ofstream(path) << with_value("hunter2-hunter2");
  ::chmod(path.c_str(), 0640);
  const auto open = KnownSecrets::load(path);
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().message(), HasSubstr("chmod 600"));
  ::chmod(path.c_str(), 0600);
  EXPECT_TRUE(KnownSecrets::load(path));
  ::unlink(path.c_str());
  EXPECT_THAT(KnownSecrets::load("fd:2").error().message(), HasSubstr("above 2"));
  EXPECT_THAT(KnownSecrets::load("fd:3x").error().message(), HasSubstr("above 2"));
}

}  // namespace
}  // namespace gatehouse::dlp
