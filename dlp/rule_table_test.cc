// What a table refuses, and what it keeps on disk.
#include "dlp/rule_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "dlp/rule_reader.h"

namespace gatehouse::dlp {
namespace {

namespace fs = std::filesystem;

Rule rule(std::string id, std::string pattern, std::vector<std::string> keywords) {
  Rule made;
  made.id = made.title = std::move(id);
  made.pattern = std::move(pattern);
  made.keywords = std::move(keywords);
  made.source = "test.json:3";
  return made;
}

std::string refusal(std::vector<Rule> rules) {
  const auto table = RuleTable::build(std::move(rules), "");
  return table ? "accepted" : table.error().message();
}

TEST(RuleTable, ARuleIsRefusedByName) {
  EXPECT_EQ(refusal({rule("a", "ab(", {})}),
            "test.json:3: rule 'a': the pattern does not compile (RE2): missing ): ab(");
  EXPECT_EQ(
      refusal({rule("a", "(?U)ab", {})}),
      "test.json:3: rule 'a': the pattern does not compile (Hyperscan): Unrecognised character after (? at index 0.");
  EXPECT_EQ(refusal({rule("b", "ab", {}), rule("a", "(ab)?", {})}),
            "test.json:3: rule 'a': the pattern can match the empty string");
  EXPECT_EQ(refusal({rule("a", "ab[0-9]", {"abcd"})}),
            "test.json:3: rule 'a': the keyword 'abcd' is longer than any match");
  Rule group = rule("a", "(ab)", {});
  group.group = 2;
  EXPECT_EQ(refusal({group}), "test.json:3: rule 'a': there is no such group");
}

TEST(RuleTable, RulesShareTheirKeywordsInWhateverCase) {
  const auto table = RuleTable::build({rule("a", "key_[0-9]", {"key_", "KEY_"}), rule("b", "key_[a-f]", {"Key_"})}, "");
  ASSERT_TRUE(table);
  ASSERT_EQ((*table)->triggers(1).size(), 2u);
  EXPECT_EQ((*table)->triggers(1)[0].rule, 0u);
  EXPECT_EQ((*table)->triggers(1)[1].rule, 1u);
}

class RuleCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tablesXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    directory_ = root_ + "/cache";
  }
  void TearDown() override { fs::remove_all(root_); }

  std::vector<Rule> rules_ = {rule("acme", "acme_[0-9]{4}", {"acme_"}), rule("card", "[0-9]{16}", {})};

  // Builds, and shows by a scan in both modes that the table is of `rules`.
  void build(const std::vector<Rule>& rules, const std::string& text, const std::string& expected) {
    const auto tables = RuleTables::build(rules, directory_);
    ASSERT_TRUE(tables) << tables.error().message();
    const auto source = RuleReaderSource::create(*tables).value();
    for (const size_t before : {0u, 10000u}) {
      std::string found;
      const auto note = [&](const Match& match) { found += match.rule->id + " "; };
      for (const auto& reader : source->open({})) {
        reader->write(std::string(before, ' ') + text, note);
        reader->end(note);
      }
      EXPECT_EQ(found, expected);
    }
  }
  void build() { build(rules_, "acme_1234 4111111111111111", "acme card "); }

  // The cache file of the table that holds rules (the other direction has none, and so no file).
  fs::path file() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_)) files.push_back(entry.path());
    EXPECT_EQ(files.size(), 1u);
    return files.empty() ? fs::path() : files.front();
  }
  static std::string content(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static ino_t inode(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_ino;
  }

  std::string root_;
  std::string directory_;
};

TEST_F(RuleCacheTest, ATableIsCompiledOnceAndThenTakenFromDisk) {
  build();
  const auto before = inode(file());
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  build();
  EXPECT_EQ(inode(file()), before) << "written again";
}

TEST_F(RuleCacheTest, WhatIsNotWholeIsCompiledAnewAndWrittenOver) {
  build();
  const fs::path path = file();
  const std::string good = content(path);
  const auto flipped = [&good](size_t at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    return bad;
  };
  const std::string cases[] = {"",
                               "x",
                               good.substr(0, 40),
                               good.substr(0, good.size() / 2),
                               good.substr(0, good.size() - 1),
                               good + "x",
                               flipped(0),
                               flipped(30),
                               flipped(70),
                               flipped(90),
                               flipped(good.size() / 2),
                               flipped(good.size() - 1)};
  for (const auto& bad : cases) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    const auto before = inode(path);
    build();
    EXPECT_NE(inode(file()), before) << bad.size();
    EXPECT_EQ(content(file()).size(), good.size());
  }
}

TEST_F(RuleCacheTest, AFileThatOthersCanWriteOrThatIsALinkIsNotRead) {
  build();
  const fs::path path = file();
  auto before = inode(path);
  fs::permissions(path, fs::perms::group_write, fs::perm_options::add);
  build();
  EXPECT_NE(inode(path), before);
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);

  fs::rename(path, root_ + "/elsewhere");
  fs::create_symlink(root_ + "/elsewhere", path);
  build();
  EXPECT_FALSE(fs::is_symlink(path));
}

TEST_F(RuleCacheTest, OtherRulesHaveAnotherFile) {
  build();
  const fs::path first = file();
  std::vector<Rule> others = rules_;
  others[0] = rule("zeta", "zeta_[0-9]{4}", {"zeta_"});
  build(others, "acme_1234 zeta_1234", "zeta ");
  build();
  // Even under the name of these rules, a table of others is not taken.
  const std::string mine = content(first);
  for (const auto& entry : fs::directory_iterator(directory_)) {
    if (entry.path() != first) fs::copy_file(entry.path(), first, fs::copy_options::overwrite_existing);
  }
  ASSERT_NE(content(first), mine);
  build();
  EXPECT_EQ(content(first), mine);
}

TEST_F(RuleCacheTest, ADirectoryThatCannotBeWrittenIsNoError) {
  std::ofstream(directory_) << "a file";
  build();
  EXPECT_TRUE(fs::is_regular_file(directory_));
}

}  // namespace
}  // namespace gatehouse::dlp
