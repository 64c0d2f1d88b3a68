#include "common/ipc/agent_protocol.h"

#include <gtest/gtest.h>

namespace gatehouse::ipc {
namespace {

std::string every_byte_but_nul() {
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST(AgentProtocol, CarriesBootUnchanged) {
  const Boot boot{"crisp-otter",
                  "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
                  1'790'000'000'000'000,
                  {{"/root/.x/a b", every_byte_but_nul()}, {"/etc/empty", ""}}};
  const auto back = decode_boot(encode(boot));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->hostname, boot.hostname);
  EXPECT_EQ(back->ca_certificate, boot.ca_certificate);
  EXPECT_EQ(back->time_us, boot.time_us);
  ASSERT_EQ(back->files.size(), 2U);
  EXPECT_EQ(back->files[0].path, "/root/.x/a b");
  EXPECT_EQ(back->files[0].content, every_byte_but_nul());
  EXPECT_EQ(back->files[1].content, "");
}

TEST(AgentProtocol, CarriesArgumentsThatAreNotText) {
  Exec exec;
  exec.argv = {"printf", every_byte_but_nul(), "\xff\xfe", "", "naïve"};
  exec.env = {{"RAW", every_byte_but_nul()}, {"EMPTY", ""}};
  exec.directory = "/srv/\x80";
  const auto back = decode_exec(encode(exec));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->argv, exec.argv);
  EXPECT_EQ(back->env, exec.env);
  EXPECT_EQ(back->directory, exec.directory);
  EXPECT_FALSE(back->terminal.has_value());
}

TEST(AgentProtocol, CarriesTheTerminalSizeOfAnInteractiveCommand) {
  Exec exec;
  exec.argv = {"sh"};
  exec.terminal = TerminalSize{50, 132};
  const auto back = decode_exec(encode(exec));
  ASSERT_TRUE(back) << back.error().message();
  ASSERT_TRUE(back->terminal);
  EXPECT_EQ(back->terminal->rows, 50);
  EXPECT_EQ(back->terminal->columns, 132);
}

TEST(AgentProtocol, CarriesSignalsSizesAndExits) {
  EXPECT_EQ(*decode_signal(encode_signal(15)), 15);
  EXPECT_EQ(decode_terminal_size(encode(TerminalSize{0, 65535}))->columns, 65535);
  EXPECT_EQ(decode_exit(encode(Exit{143, ""}))->code, 143);
  EXPECT_EQ(decode_exit(encode(Exit{127, "no such command: \xff"}))->message, "no such command: \xef\xbf\xbd");
  EXPECT_TRUE(decode_hello(encode_hello()));
}

template <class Decoded>
std::string refusal(const Result<Decoded>& result) {
  return result ? "accepted" : result.error().message();
}

TEST(AgentProtocol, RefusesAnotherVersion) {
  EXPECT_EQ(refusal(decode_hello(R"({"version":2})")), "hello: the other side speaks version 2, this one 1");
}

TEST(AgentProtocol, RefusesExecPayloadsWithTheKeyAtFault) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "exec: not JSON"},
      {"[]", "exec: not a JSON object"},
      {R"({"argv":["a"],"env":[]})", "exec: directory: missing"},
      {R"({"argv":[],"env":[],"directory":""})", "exec: argv: not a list of at least one string"},
      {R"({"argv":"a","env":[],"directory":""})", "exec: argv: not a list of at least one string"},
      {R"({"argv":["a",1],"env":[],"directory":""})", "exec: argv[1]: not a string"},
      {R"({"argv":["a\u0000b"],"env":[],"directory":""})", "exec: argv[0]: has a NUL byte"},
      {R"({"argv":["\u0100"],"env":[],"directory":""})", "exec: argv[0]: has a character above U+00FF"},
      {R"({"argv":["a"],"env":[["A=B","c"]],"directory":""})", "exec: env[0]: \"A=B\" is not a variable's name"},
      {R"({"argv":["a"],"env":[["A"]],"directory":""})", "exec: env[0]: not a name and a value"},
      {R"({"argv":["a"],"env":[],"directory":"","rows":3})", "exec: columns: missing"},
      {R"({"argv":["a"],"env":[],"directory":"","user":"root"})", "exec: unknown key \"user\""},
      {R"({"argv":["a"],"argv":["b"],"env":[],"directory":""})", "exec: key \"argv\" twice"},
      {R"({"argv":[[[["a"]]]],"env":[],"directory":""})", "exec: nested too deeply"},
      {"{\"argv\":[\"\xff\"],\"env\":[],\"directory\":\"\"}", "exec: not JSON"},
  };
  for (const auto& [payload, message] : cases) EXPECT_EQ(refusal(decode_exec(payload)), message) << payload;
}

TEST(AgentProtocol, RefusesNumbersOutOfRange) {
  EXPECT_EQ(refusal(decode_signal(R"({"number":0})")), "signal: number: not between 1 and 64");
  EXPECT_EQ(refusal(decode_signal(R"({"number":65})")), "signal: number: not between 1 and 64");
  EXPECT_EQ(refusal(decode_signal(R"({"number":9.0})")), "signal: number: not a whole number");
  EXPECT_EQ(refusal(decode_signal(R"({"number":18446744073709551615})")), "signal: number: not between 1 and 64");
  EXPECT_EQ(refusal(decode_exit(R"({"code":256})")), "exit: code: not between 0 and 255");
  EXPECT_EQ(refusal(decode_exit(R"({"code":-1})")), "exit: code: not between 0 and 255");
  EXPECT_EQ(refusal(decode_terminal_size(R"({"rows":65536,"columns":1})")), "resize: rows: not between 0 and 65535");
  EXPECT_EQ(refusal(decode_boot(R"({"hostname":"h","ca_certificate":"","time_us":-1})")),
            "boot: time_us: not between 0 and 253402300799000000");
}

TEST(AgentProtocol, RefusesFilesAtOddPlaces) {
  for (const std::string path : {"", "x", "/", "/a/", "/a//b", "/a/./b", "/a/../b", "../a"}) {
    const Boot boot{"h", "", 1, {{path, ""}}};
    EXPECT_EQ(refusal(decode_boot(encode(boot))),
              fmt::format("boot: files[0]: \"{}\" is no plain absolute path", path));
  }
  EXPECT_EQ(refusal(decode_boot(R"({"hostname":"h","ca_certificate":"","time_us":1,"files":[["/a"]]})")),
            "boot: files[0]: not a path and a content");
}

TEST(AgentProtocol, RefusesAMillionOpenBracketsWithoutEffort) {
  EXPECT_EQ(refusal(decode_exec(std::string(1'000'000, '['))), "exec: nested too deeply");
}

}  // namespace
}  // namespace gatehouse::ipc
