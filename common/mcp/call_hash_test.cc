#include "common/mcp/call_hash.h"

#include <gtest/gtest.h>

#include <set>

namespace gatehouse::mcp {
namespace {

const std::string kKey(kCallHashKeyBytes, 'k');

std::string hash(std::string_view tool, std::string_view arguments, const std::string& key = kKey) {
  return CallHash::with_key(key).value()->of(tool, json::read(arguments).value());
}

TEST(CallHash, IsTheSameHoweverTheCallIsWritten) {
  const std::string one = hash("files__read_file", R"({"path":"/x","head":5})");
  EXPECT_EQ(one.size(), 16u);
  EXPECT_EQ(hash("files__read_file", R"( { "head" : 5.0 , "path" : "\u002fx" } )"), one);
  EXPECT_EQ(hash("mcp__gatehouse__files__read_file", R"({"head":5e0,"path":"/x"})"), one);
  EXPECT_EQ(hash("mcp_gatehouse_files_read.file", R"({"head":5,"path":"/x"})"), one);
}

TEST(CallHash, DiffersForOtherToolsArgumentsAndKeys) {
  std::set<std::string> seen;
  for (const auto& [tool, arguments] : std::initializer_list<std::pair<std::string, std::string>>{
           {"t", "{}"}, {"u", "{}"}, {"t", R"({"a":1})"}, {"t", R"({"a":"1"})"}, {"t", R"({"a":[1]})"}, {"", "{}"}}) {
    EXPECT_TRUE(seen.insert(hash(tool, arguments)).second) << tool << arguments;
  }
  EXPECT_TRUE(seen.insert(hash("t", "{}", std::string(kCallHashKeyBytes, 'l'))).second);
}

TEST(CallHash, TakesNoOtherKey) {
  for (const size_t size : {size_t{0}, kCallHashKeyBytes - 1, kCallHashKeyBytes + 1}) {
    const auto made = CallHash::with_key(std::string(size, 'k'));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().message(), "the key for calls of tools must have 32 bytes");
  }
}

TEST(ToolNames, AreKnownBehindWhatClientsPutBeforeThem) {
  for (const std::string called : {"files__read_file", "mcp__gatehouse__files__read_file", "gatehouse.files__read_file",
                                   "mcp_gw_files__read_file", "x-files--read-file"}) {
    EXPECT_TRUE(is_name_of(called, "files__read_file")) << called;
  }
  for (const std::string called : {"", "read_file", "profiles__read_file", "files__read_file2", "files__readfile",
                                   "files__read_File", "mcp__files__read_file_"}) {
    EXPECT_FALSE(is_name_of(called, "files__read_file")) << called;
  }
  EXPECT_FALSE(is_name_of("x", ""));
  EXPECT_FALSE(is_name_of("", ""));
}

}  // namespace
}  // namespace gatehouse::mcp
