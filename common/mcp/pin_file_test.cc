#include "common/mcp/pin_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/base/uuid.h"

namespace gatehouse::mcp {
namespace {

using testing::HasSubstr;

struct Temporary {
  std::string path = testing::TempDir() + "pins." + make_uuid();
  ~Temporary() { std::filesystem::remove(path); }
  void add(std::string_view text) const {
    std::ofstream(path, std::ios::app) << text;
    ::chmod(path.c_str(), 0600);
  }
};

PinEntry entry(PinEntry::What what, const std::string& pin) {
  return {.what = what,
          .server = "files",
          .origin = "0011",
          .tool = "read",
          .pin = pin,
          .definition = json::Value{{"name", "read"}, {"description", pin}}};
}

TEST(PinFile, KeepsWhatHoldsAndWhatWaitsAcrossOpenings) {
  const Temporary file;
  {
    auto pins = PinFile::open(file.path).value();
    EXPECT_EQ(pins.held("0011", "read"), nullptr);
    ASSERT_TRUE(pins.append({entry(PinEntry::What::first, "a"), entry(PinEntry::What::waiting, "b")}));
  }
  auto pins = PinFile::open(file.path).value();
  EXPECT_EQ(pins.held("0011", "read")->pin, "a");
  EXPECT_EQ(pins.waiting("0011", "read")->pin, "b");
  EXPECT_EQ(pins.held("2233", "read"), nullptr);
  auto other = PinFile::open(file.path).value();
  ASSERT_TRUE(other.append({entry(PinEntry::What::approved, "b")}));
  EXPECT_TRUE(pins.refresh().value());
  EXPECT_FALSE(pins.refresh().value());
  EXPECT_EQ(pins.held("0011", "read")->pin, "b");
  EXPECT_EQ(pins.waiting("0011", "read"), nullptr);
}

TEST(PinFile, LetsNoFirstSightTakeThePlaceOfWhatAnotherSessionPinned) {
  const Temporary file;
  auto one = PinFile::open(file.path).value();
  auto other = PinFile::open(file.path).value();
  ASSERT_TRUE(one.append({entry(PinEntry::What::first, "a")}));
  ASSERT_TRUE(other.append({entry(PinEntry::What::first, "b")}));
  EXPECT_EQ(other.held("0011", "read")->pin, "a");
}

TEST(PinFile, RefusesWhatItCannotReadAndWhatOthersMayWrite) {
  for (const std::string_view text : {"x\n", "{}\n", "[]\n",
                                      R"({"what":"first"})"
                                      "\n"}) {
    const Temporary file;
    file.add(text);
    EXPECT_FALSE(PinFile::open(file.path)) << text;
  }
  const Temporary file;
  file.add("");
  ::chmod(file.path.c_str(), 0620);
  EXPECT_THAT(PinFile::open(file.path).error().message(), HasSubstr("others may write it"));
  EXPECT_FALSE(PinFile::open(testing::TempDir()));
  const Temporary link;
  std::filesystem::create_symlink(file.path, link.path);
  EXPECT_FALSE(PinFile::open(link.path));
}

TEST(PinFile, DropsTheRestOfAKilledWritersLine) {
  const Temporary file;
  file.add(to_line(entry(PinEntry::What::first, "a")) + R"({"what":"approved","server":)");
  auto pins = PinFile::open(file.path).value();
  EXPECT_EQ(pins.held("0011", "read")->pin, "a");
  ASSERT_TRUE(pins.append({entry(PinEntry::What::approved, "b")}));
  file.add("{\"what\":");  // by another one, while this one has it open
  EXPECT_FALSE(pins.refresh().value());
  ASSERT_TRUE(pins.append({entry(PinEntry::What::approved, "c")}));
  EXPECT_EQ(PinFile::open(file.path).value().held("0011", "read")->pin, "c");
}

TEST(PinFile, KnowsNothingOnceTheFileIsCutOrGone) {
  const Temporary file;
  auto pins = PinFile::open(file.path).value();
  ASSERT_TRUE(pins.append({entry(PinEntry::What::first, "a")}));
  std::filesystem::resize_file(file.path, 0);
  EXPECT_FALSE(pins.refresh());
  EXPECT_FALSE(pins.append({entry(PinEntry::What::first, "b")}));
  const Temporary gone;
  auto other = PinFile::open(gone.path).value();
  std::filesystem::remove(gone.path);
  EXPECT_FALSE(other.refresh());
}

TEST(OriginOf, IsOfWhatIsRunAndWhere) {
  const policy::McpServer server{.name = "a", .command = {"x", "y"}};
  policy::McpServer renamed = server, other = server, elsewhere = server;
  renamed.name = "b";
  other.command = {"x y"};
  elsewhere.directory = "/srv";
  EXPECT_EQ(origin_of(server), origin_of(renamed));
  EXPECT_NE(origin_of(server), origin_of(other));
  EXPECT_NE(origin_of(server), origin_of(elsewhere));
  policy::McpServer web{.name = "a", .endpoint = policy::McpEndpoint{"tools.example", 443, "/mcp"}};
  policy::McpServer other_path = web, other_port = web;
  other_path.endpoint->path = "/other";
  other_port.endpoint->port = 8443;
  EXPECT_NE(origin_of(web), origin_of(other_path));
  EXPECT_NE(origin_of(web), origin_of(other_port));
  EXPECT_NE(origin_of(web), origin_of({.name = "a"}));
}

}  // namespace
}  // namespace gatehouse::mcp
