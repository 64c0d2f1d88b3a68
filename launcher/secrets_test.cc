#include "launcher/secrets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/uuid.h"

namespace gatehouse::launcher {
namespace {

using From = policy::SecretSource::From;

std::string only_value(const Result<std::vector<Secret>>& secrets) {
  if (!secrets) return "error: " + secrets.error().message();
  return std::string(secrets->front().value.view());
}

Result<std::vector<Secret>> from_command(std::vector<std::string> command) {
  return read_secrets({{"TOKEN", From::command, "", std::move(command)}});
}

TEST(Secrets, ComeFromTheEnvironmentAndAreTakenOutOfIt) {
  ::setenv("GATEHOUSE_TEST_SECRET", "first-value-0123", 1);
  EXPECT_EQ(only_value(read_secrets({{"TOKEN", From::environment, "GATEHOUSE_TEST_SECRET", {}}})), "first-value-0123");
  EXPECT_EQ(std::getenv("GATEHOUSE_TEST_SECRET"), nullptr);
  EXPECT_EQ(only_value(read_secrets({{"TOKEN", From::environment, "GATEHOUSE_TEST_SECRET", {}}})),
            "error: secret TOKEN: the variable GATEHOUSE_TEST_SECRET is not set");
}

TEST(Secrets, ComeFromFilesWithoutTheLastLineBreak) {
  const auto path = (std::filesystem::temp_directory_path() / make_uuid()).string();
  std::ofstream(path) << "file-value-0123\r\n";
  EXPECT_EQ(only_value(read_secrets({{"TOKEN", From::file, path, {}}})), "file-value-0123");
  std::ofstream(path) << std::string(kMaxSecretBytes + 1, 'x');
  EXPECT_EQ(only_value(read_secrets({{"TOKEN", From::file, path, {}}})), "error: secret TOKEN: is over 8192 bytes");
  std::ofstream(path) << "\n";
  EXPECT_EQ(only_value(read_secrets({{"TOKEN", From::file, path, {}}})), "error: secret TOKEN: is empty");
  std::filesystem::remove(path);
  EXPECT_EQ(read_secrets({{"TOKEN", From::file, path, {}}}).error().message().rfind("secret TOKEN: ", 0), 0U);
}

TEST(Secrets, ComeFromCommandsThatEndWell) {
  EXPECT_EQ(only_value(from_command({"printf", "%s\n", "command value"})), "command value");
  EXPECT_EQ(only_value(from_command({"sh", "-c", "echo half; exit 3"})),
            "error: secret TOKEN: the command exited with code 3");
  EXPECT_EQ(only_value(from_command({"true"})), "error: secret TOKEN: is empty");
  EXPECT_EQ(only_value(from_command({"head", "-c", "10000", "/dev/zero"})), "error: secret TOKEN: is over 8192 bytes");
  EXPECT_FALSE(from_command({"no-such-program-at-all"}));
}

TEST(Secrets, AreHandedToTheScannerWithTheCanariesAndAKey) {
  ::setenv("GATEHOUSE_TEST_SECRET", "first-value-0123", 1);
  const auto secrets = read_secrets({{"TOKEN", From::environment, "GATEHOUSE_TEST_SECRET", {}}});
  const auto canaries = make_canaries();
  ASSERT_TRUE(secrets && canaries);
  const auto text = scanner_secrets(*secrets, canaries->values);
  ASSERT_TRUE(text);
  const auto pipe = pipe_of({text->view()});
  ASSERT_TRUE(pipe) << pipe.error().message();
  const auto read = nlohmann::json::parse(read_all(pipe->get(), kMaxAllSecretBytes).value());
  EXPECT_EQ(read["secrets"][0]["name"], "TOKEN");
  EXPECT_EQ(read["secrets"][0]["value"], "first-value-0123");
  EXPECT_EQ(read["canaries"].size(), canaries->values.size());
  EXPECT_EQ(read["key"].get<std::string>().size(), 64U);
}

TEST(Secrets, FillAPipeOfAnySizeWithNobodyReading) {
  const std::string large(kMaxAllSecretBytes, 'x');
  const auto pipe = pipe_of({large, "end"});
  ASSERT_TRUE(pipe) << pipe.error().message();
  EXPECT_EQ(read_all(pipe->get(), 1 << 20).value(), large + "end");
}

TEST(Canaries, AreNewEachTimeAndLieInTheirFiles) {
  const auto one = make_canaries();
  const auto other = make_canaries();
  ASSERT_TRUE(one && other);
  std::string all;
  for (const auto& file : one->files) all += file.content;
  for (size_t i = 0; i < one->values.size(); ++i) {
    EXPECT_NE(one->values[i].value, other->values[i].value);
    EXPECT_NE(all.find(one->values[i].value), std::string::npos) << one->values[i].name;
  }
}

TEST(Secrets, ThatGoToHostsHaveAPlaceholderInTheGuest) {
  ::setenv("GATEHOUSE_TEST_SECRET", "first-value-0123", 1);
  ::setenv("GATEHOUSE_TEST_OTHER", "other-value-0123", 1);
  auto secrets = read_secrets({{"TOKEN", From::environment, "GATEHOUSE_TEST_SECRET", {}},
                               {"OTHER", From::environment, "GATEHOUSE_TEST_OTHER", {}}});
  ASSERT_TRUE(secrets);
  const policy::Credential credential{"TOKEN", {}, {{policy::CredentialPlace::Kind::bearer, ""}}, false, "sk-"};
  ASSERT_TRUE(make_placeholders(*secrets, {credential}));
  const std::string placeholder = secrets->front().placeholder;
  EXPECT_TRUE(std::regex_match(placeholder, std::regex("sk-gatehouse-placeholder-TOKEN-[0-9a-f]{32}"))) << placeholder;
  const auto environment = placeholder_environment(*secrets);
  ASSERT_EQ(environment.size(), 1U);
  EXPECT_EQ(environment[0], std::pair(std::string("TOKEN"), placeholder));

  const auto proxy = nlohmann::json::parse(proxy_credentials(*secrets, {})->view());
  EXPECT_EQ(proxy,
            nlohmann::json(
                {{"secrets", {{{"name", "TOKEN"}, {"value", "first-value-0123"}, {"placeholder", placeholder}}}}}));
  const auto shown = nlohmann::json::parse(proxy_credentials(*secrets, {"OTHER"})->view());
  EXPECT_EQ(shown["secrets"][1], nlohmann::json({{"name", "OTHER"}, {"value", "other-value-0123"}}));
  const auto scanner = nlohmann::json::parse(scanner_secrets(*secrets, {})->view());
  EXPECT_EQ(scanner["secrets"][0]["placeholder"], placeholder);
  EXPECT_EQ(scanner["secrets"][1], nlohmann::json({{"name", "OTHER"}, {"value", "other-value-0123"}}));

  const auto without = nlohmann::json::parse(scanner_secrets(*secrets, {}, {{{}, "OTHER", "TOKEN", {}}})->view());
  EXPECT_EQ(without["secrets"].size(), 1U) << "a certificate is no secret, its key is";
  EXPECT_EQ(without["secrets"][0]["name"], "TOKEN");

  const std::string before = placeholder;
  ASSERT_TRUE(make_placeholders(*secrets, {credential}));
  EXPECT_NE(secrets->front().placeholder, before) << "of another session";
}

TEST(Secrets, ThatCannotStandInARequestAreRefusedWithoutTheValue) {
  ::setenv("GATEHOUSE_TEST_SECRET", "two\nlines-0123", 1);
  auto secrets = read_secrets({{"TOKEN", From::environment, "GATEHOUSE_TEST_SECRET", {}}});
  const policy::Credential credential{"TOKEN", {}, {{policy::CredentialPlace::Kind::bearer, ""}}, false, ""};
  EXPECT_EQ(make_placeholders(*secrets, {credential}).error().message(),
            "secret TOKEN: the value has characters that cannot be sent as bearer");
}

TEST(Secrets, AreDrawnAnewEachTime) {
  const auto one = random_secret(32);
  const auto other = random_secret(32);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->view().size(), 32U);
  EXPECT_NE(one->view(), other->view());
}

}  // namespace
}  // namespace gatehouse::launcher
