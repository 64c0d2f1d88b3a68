#include "mcp-gateway/pins.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "common/base/uuid.h"

namespace gatehouse::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PinsTest : public testing::Test {
 protected:
  ~PinsTest() override { std::filesystem::remove(path_); }

  static policy::McpServer server(const std::string& name) { return {.name = name, .command = {"run-" + name}}; }
  static Item tool(const std::string& name, const std::string& description = "Reads.") {
    const Value definition = {{"name", name}, {"description", description}, {"inputSchema", Value::object()}};
    return {
        .server = "", .name = name, .shown = name, .pin = pin_of(definition), .whole = definition, .definition = {}};
  }
  // The rule that objects to each, "" for none; by a gateway that begins now.
  std::vector<std::string> rules(const std::string& of, const std::vector<Item>& tools) {
    Pins pins(PinFile::open(path_).value());
    const auto own = std::find_if(servers_.begin(), servers_.end(), [&](const auto& one) { return one.name == of; });
    std::vector<std::string> found;
    for (const auto& judged : pins.judge(servers_, *own, tools, [this](const std::string&name, const std::string&) {
           return !closed_.contains(name);
         })) {
      found.push_back(judged.objection ? judged.objection->rule_id : "");
      if (judged.objection) reason_ = judged.objection->reason;
    }
    return found;
  }
  void approve(const std::string& name) {
    auto pins = PinFile::open(path_).value();
    std::vector<PinEntry> entries;
    for (const PinEntry* waiting : pins.all_waiting()) {
      if (waiting->tool != name) continue;
      entries.push_back(*waiting);
      entries.back().what = PinEntry::What::approved;
    }
    ASSERT_EQ(entries.size(), 1u);
    ASSERT_TRUE(pins.append(entries));
  }

  const std::string path_ = testing::TempDir() + "pins." + make_uuid();
  std::vector<policy::McpServer> servers_ = {server("files"), server("spare")};
  std::set<std::string> closed_;
  std::string reason_;
};

TEST_F(PinsTest, TakesAToolAsItIsAndHoldsItToThat) {
  EXPECT_THAT(rules("files", {tool("read"), tool("write")}), ElementsAre("", ""));
  EXPECT_THAT(rules("files", {tool("read", "Reads!"), tool("write")}), ElementsAre("mcp.changed", ""));
  EXPECT_THAT(rules("files", {tool("read"), tool("write")}), ElementsAre("", ""));
  EXPECT_THAT(rules("files", {tool("read", "Reads!")}), ElementsAre("mcp.changed"));
  approve("read");
  EXPECT_THAT(rules("files", {tool("read", "Reads!")}), ElementsAre(""));
  EXPECT_THAT(rules("files", {tool("read")}), ElementsAre("mcp.changed"));
}

TEST_F(PinsTest, HoldsEveryMemberOfADefinition) {
  Item before = tool("read");
  before.whole["inputSchema"] = {{"properties", {{"p", {{"enum", {"a"}}, {"default", "a"}}}}}};
  before.whole["annotations"] = {{"readOnlyHint", true}};
  before.pin = pin_of(before.whole);
  ASSERT_THAT(rules("files", {before}), ElementsAre(""));
  for (const auto* place : {"/description", "/title", "/inputSchema/properties/p/enum/0",
                            "/inputSchema/properties/p/default", "/annotations/readOnlyHint", "/_meta"}) {
    Item after = before;
    after.whole[Value::json_pointer(place)] = "other";
    after.pin = pin_of(after.whole);
    EXPECT_THAT(rules("files", {after}), ElementsAre("mcp.changed")) << place;
  }
}

TEST_F(PinsTest, LetsNoSecondServerHaveANameThatLooksLikeThatOfAnother) {
  ASSERT_THAT(rules("files", {tool("read_file")}), ElementsAre(""));
  for (const auto* name : {"read_file", "Read-File", "readFile", "read.file", "read_fi1e", "READ_FlLE"}) {
    EXPECT_THAT(rules("spare", {tool(name)}), ElementsAre("mcp.shadow")) << name;
    EXPECT_THAT(reason_, HasSubstr("server 'files' has the tool 'read_file' already"));
  }
  EXPECT_THAT(rules("spare", {tool("read_files"), tool("list")}), ElementsAre("", ""));
  EXPECT_THAT(rules("files", {tool("readFile")}), ElementsAre(""));  // its own business
  approve("readFile");
  EXPECT_THAT(rules("spare", {tool("readFile")}), ElementsAre(""));
}

TEST_F(PinsTest, KnowsWhoWasFirstWhenTwoProjectsServersMeet) {
  const auto both = servers_;
  servers_ = {server("spare")};
  ASSERT_THAT(rules("spare", {tool("read")}), ElementsAre(""));
  servers_ = {server("files")};
  ASSERT_THAT(rules("files", {tool("read")}), ElementsAre(""));
  servers_ = both;
  EXPECT_THAT(rules("spare", {tool("read")}), ElementsAre(""));
  EXPECT_THAT(rules("files", {tool("read")}), ElementsAre("mcp.shadow"));
}

TEST_F(PinsTest, LetsServersShareNamesWhereThePolicySaysSoOrOneCannotBeCalled) {
  ASSERT_THAT(rules("files", {tool("read")}), ElementsAre(""));
  ASSERT_THAT(rules("spare", {tool("read")}), ElementsAre("mcp.shadow"));
  for (size_t either = 0; either < 2; ++either) {
    servers_[either].shares_names_with = {servers_[1 - either].name};
    EXPECT_THAT(rules("spare", {tool(either == 0 ? "read" : "Read")}), ElementsAre(""));
    servers_[either].shares_names_with.clear();
  }
  closed_ = {"files"};
  EXPECT_THAT(rules("spare", {tool("READ")}), ElementsAre(""));
}

TEST_F(PinsTest, LetsNoToolSpeakOfAnotherServers) {
  EXPECT_THAT(rules("spare", {tool("a", "Before files__read call this."), tool("b", "See spare__a."),
                              tool("c", "profiles__read and files__ are words")}),
              ElementsAre("mcp.shadow", "", ""));
  EXPECT_THAT(reason_, HasSubstr("speaks of the tools of server 'files'"));
  approve("a");
  EXPECT_THAT(rules("spare", {tool("a", "Before files__read call this.")}), ElementsAre(""));
}

TEST_F(PinsTest, LetsNewToolsWaitWhereThePolicySaysSo) {
  servers_[0].new_tools = policy::NewTools::approve;
  EXPECT_THAT(rules("files", {tool("read"), tool("write")}), ElementsAre("mcp.new", "mcp.new"));
  approve("read");
  EXPECT_THAT(rules("files", {tool("read"), tool("write")}), ElementsAre("", "mcp.new"));
}

TEST_F(PinsTest, ShowsWhatIsSuspectOnlyWhenItIsWarnedOfAndApproved) {
  Item warned = tool("read"), denied = tool("write");
  warned.suspicion = Suspicion{{Verdict::deny, "mcp.poisoned", "an instruction"}, true};
  denied.suspicion = Suspicion{{Verdict::deny, "mcp.poisoned", "a token"}, false};
  EXPECT_THAT(rules("files", {warned, denied}), ElementsAre("mcp.poisoned", "mcp.poisoned"));
  EXPECT_EQ(PinFile::open(path_).value().all_waiting().size(), 1u);
  approve("read");
  EXPECT_THAT(rules("files", {warned, denied}), ElementsAre("", "mcp.poisoned"));
}

TEST_F(PinsTest, BelongToOneCommand) {
  ASSERT_THAT(rules("files", {tool("read")}), ElementsAre(""));
  servers_[0].command = {"another"};
  EXPECT_THAT(rules("files", {tool("read", "Other.")}), ElementsAre(""));
}

TEST_F(PinsTest, KeepNoMoreThanSoManyChangesOfAServer) {
  servers_[0].new_tools = policy::NewTools::approve;
  std::vector<Item> many;
  for (int i = 0; i < 100; ++i) many.push_back(tool(fmt::format("t{}", i)));
  const auto found = rules("files", many);
  EXPECT_EQ(std::count(found.begin(), found.end(), "mcp.new"), 100);
  EXPECT_EQ(PinFile::open(path_).value().all_waiting().size(), kMaxWaitingOfServer);
}

}  // namespace
}  // namespace gatehouse::mcp
