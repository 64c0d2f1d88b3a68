// The passive parts: objects, the output of cat-file, the graph, protected paths, configured hosts, and the decision.
#include <gmock/gmock.h>

#include "common/ipc/frame.h"
#include "git-gate/config_hosts.h"
#include "git-gate/decision.h"
#include "git-gate/path_alias.h"
#include "proxy/scripted_scanner.h"

namespace gatehouse::git_gate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string id(char digit) { return std::string(40, digit); }
std::string raw(char digit) {
  return std::string(20, static_cast<char>((digit >= 'a' ? digit - 'a' + 10 : digit - '0') * 0x11));
}

std::string commit(const std::string& tree, const std::vector<std::string>& parents,
                   const std::string& message = "words\n", const std::string& author = "Ada <ada@demo.test>",
                   const std::string& headers = "") {
  std::string text = "tree " + tree + "\n";
  for (const auto& parent : parents) text += "parent " + parent + "\n";
  return text + "author " + author + " 1700000000 +0000\ncommitter Ada <ada@demo.test> 1700000000 +0000\n" + headers +
         "\n" + message;
}

std::string entry(const std::string& mode, const std::string& name, char digit) {
  return mode + " " + name + '\0' + raw(digit);
}

std::string printed(const std::string& object, const std::string& type, const std::string& content) {
  return fmt::format("{} {} {}\n{}\n", object, type, content.size(), content);
}

// As the proxy has it.
Result<git::PushVerdict> told(const git::PushVerdict& verdict) {
  ipc::FrameReader frames(git::kMaxGateFrameBytes);
  frames.feed(git::encode(verdict));
  git::VerdictReader reader;
  for (;;) {
    const auto frame = frames.next_view();
    if (!frame) return failed(frame);
    if (!*frame) return fail("no verdict");
    auto read = reader.take((*frame)->type, (*frame)->payload);
    if (!read) return failed(read);
    if (*read) return **read;
  }
}

TEST(ParseCommit, TakesItsParts) {
  const std::string text =
      commit(id('1'), {id('2'), id('3')}, "subject\n\nbody\n", "A <a@b>", "gpgsig x\n y\nencoding z\n");
  const auto read = parse_commit(text, ObjectFormat::sha1);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->tree, id('1'));
  EXPECT_THAT(read->parents, ElementsAre(id('2'), id('3')));
  EXPECT_EQ(read->author, "A <a@b>");
  EXPECT_EQ(read->headers, "gpgsig x\n y\nencoding z\n");
  EXPECT_EQ(read->message, "subject\n\nbody\n");
  for (const auto& bad :
       {std::string(), std::string("tree x\n"), text.substr(0, 60), "parent " + id('1') + "\n" + text}) {
    EXPECT_FALSE(parse_commit(bad, ObjectFormat::sha1)) << bad;
  }
}

TEST(ReadTree, RefusesWhatIsNone) {
  const auto ok = [](const std::string& bytes) {
    return read_tree(bytes, ObjectFormat::sha1, [](const auto&) {}).has_value();
  };
  EXPECT_TRUE(ok(""));
  EXPECT_TRUE(ok(entry("100644", "a", '1') + entry("40000", "b", '2')));
  for (const auto& bad : {entry("100644", "..", '1'), entry("100644", "a/b", '1'), entry("100644", "", '1'),
                          entry("x", "a", '1'), entry("100644", "a", '1').substr(0, 20), std::string("100644 a")}) {
    EXPECT_FALSE(ok(bad)) << bad;
  }
}

TEST(Trailers, AreInTheLastParagraph) {
  EXPECT_TRUE(has_trailer("subject\n\nbody\n\nReviewed-by: x\nsigned-off-by: Ada\n", "Signed-off-by"));
  EXPECT_FALSE(has_trailer("Signed-off-by: Ada\n", "Signed-off-by"));
  EXPECT_FALSE(has_trailer("s\n\nSigned-off-by: Ada\n\nmore\n", "Signed-off-by"));
  EXPECT_FALSE(has_trailer("s\n\nSigned-off-by:\n", "Signed-off-by"));
}

TEST(BatchReader, CutsHoweverTheBytesCome) {
  const std::string output =
      printed(id('1'), "blob", "a\nb") + printed(id('2'), "blob", "") + printed(id('3'), "tree", "xyz");
  for (size_t piece = 1; piece < output.size(); ++piece) {
    BatchReader reader(ObjectFormat::sha1);
    std::string told;
    for (size_t at = 0; at < output.size(); at += piece) {
      auto input = std::string_view(output).substr(at, piece);
      for (;;) {
        const auto event = reader.next(input);
        ASSERT_TRUE(event);
        input.remove_prefix(event->consumed);
        if (event->kind == BatchReader::Event::Kind::need_more) break;
        if (event->kind == BatchReader::Event::Kind::begin) told += reader.head().id.substr(0, 1) + "[";
        if (event->kind == BatchReader::Event::Kind::bytes) told += event->bytes;
        if (event->kind == BatchReader::Event::Kind::end) told += "]";
      }
    }
    EXPECT_EQ(told, "1[a\nb]2[]3[xyz]");
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(ConfiguredUrls, AreThoseOfSubmodulesAndLfs) {
  const auto hosts = [](std::string_view text) {
    std::vector<std::string> all;
    for (const auto& [section, url] : read_configuration(text).urls) all.push_back(url_host(url, 2));
    return all;
  };
  EXPECT_THAT(hosts("[submodule \"a\"]\n\tpath = a\n\turl = https://Evil.example/x\n"), ElementsAre("evil.example"));
  EXPECT_THAT(hosts("# x\n[submodule \"a]b\"] url = git@evil.example:x.git ; c\n[core]\nbare\n"),
              ElementsAre("evil.example"));
  EXPECT_THAT(hosts("[submodule \"a\"]\nurl = ssh://u@evil\\\n.example:22/x\n"), ElementsAre("evil.example"));
  EXPECT_THAT(hosts("[SubModule.a]\nURL=../b\n"), ElementsAre(""));
  EXPECT_THAT(hosts("[submodule \"a\"]\nurl = /srv/x\n[lfs]\nurl = ext::sh -c x\n"), ElementsAre("?", "?"));
  EXPECT_THAT(hosts("[remote \"o\"]\nurl = https://a.example/\nlfsurl = \"https://b.example/\"\n"),
              ElementsAre("b.example"));
  // As git reads it: a variable before all sections, quotes after one, comments that do not go on.
  EXPECT_THAT(hosts("x = 1\n[submodule \"a\"] url = \"https://evil.example/x\"\n"), ElementsAre("evil.example"));
  EXPECT_THAT(hosts("# \\\n[submodule \"a\"]\nurl = https://evil.example/x\nand no more {"),
              ElementsAre("evil.example"));
  EXPECT_THAT(hosts("[submodule \"a\"]\nurl = ../../x\nurl = ./../.././../evil.example/x\n"), ElementsAre("", "?"));
  EXPECT_TRUE(read_configuration("# nothing but\n; comments").whole);
  EXPECT_FALSE(read_configuration("[a]\nb = 1\n<html>").whole);
  EXPECT_THAT(hosts("see [submodule \"a\"]\nurl = https://evil.example/x\n"), IsEmpty());
}

TEST(PackGraph, ProvesFastForwardsByParentsAlone) {
  PackGraph graph(ObjectFormat::sha1);
  const std::string old_tip = id('1'), middle = id('2'), tip = id('3'), tag = id('4');
  graph.add_commit(middle, *parse_commit(commit(id('a'), {old_tip}), ObjectFormat::sha1));
  graph.add_commit(tip, *parse_commit(commit(id('a'), {id('9'), middle}), ObjectFormat::sha1));
  Tag to_tip;
  to_tip.object = tip;
  graph.add_tag(tag, to_tip);
  Effort effort;
  const History history(graph, nullptr, effort);
  EXPECT_TRUE(history.proves_forward(old_tip, tip));
  EXPECT_TRUE(history.proves_forward(old_tip, tag));
  EXPECT_FALSE(history.proves_forward(tip, middle));
  EXPECT_FALSE(history.proves_forward(id('8'), tip));
  Effort little(1);
  EXPECT_FALSE(History(graph, nullptr, little).proves_forward(old_tip, tip)) << "what costs too much is unproved";
}

TEST(ProtectedPaths, AreComparedByIds) {
  const auto glob = *policy::PathGlob::parse("/.ci/**");
  EXPECT_TRUE(may_match_below(glob, ""));
  EXPECT_TRUE(may_match_below(glob, "/.CI/x/y"));
  EXPECT_FALSE(may_match_below(glob, "/src"));
  PackGraph graph(ObjectFormat::sha1);
  TreeStore trees;
  // 1: root of the first commit, 2: of one that changes src, 3: of one that changes .ci; a, b: .ci; c, d: src.
  trees.add(id('1'), entry("40000", ".ci", 'a') + entry("40000", "src", 'c'));
  trees.add(id('2'), entry("40000", ".ci", 'a') + entry("40000", "src", 'd'));
  trees.add(id('3'), entry("40000", ".ci", 'b') + entry("40000", "src", 'd'));
  trees.add(id('a'), entry("100644", "build.yml", '5'));
  trees.add(id('b'), entry("100644", "build.yml", '6'));
  const auto add = [&](char name, char tree, const std::vector<std::string>& parents) {
    graph.add_commit(id(name), *parse_commit(commit(id(tree), parents), ObjectFormat::sha1));
  };
  Effort effort;
  const auto changes = [&] { return changes_by_commits({graph, trees, nullptr, effort}, std::span(&glob, 1)); };
  add('7', '1', {id('f')});  // what it follows is not here
  add('8', '2', {id('7')});
  EXPECT_THAT(changes().changed, IsEmpty());
  EXPECT_THAT(changes().unproved, ElementsAre(id('7')));
  add('9', '3', {id('8')});
  EXPECT_THAT(changes().changed, ElementsAre("/.ci", "/.ci/build.yml"));
  add('e', '1', {});  // a first commit brings every file anew
  EXPECT_THAT(changes().changed, ElementsAre("/.ci", "/.ci/build.yml"));
  effort = Effort(3);
  EXPECT_THAT(changes().unproved.size(), 4U) << "what costs too much is unproved";
}

TEST(PathAliases, AreWhatFileSystemsTakeANameFor) {
  const policy::PathGlob globs[] = {*policy::PathGlob::parse("/.github/workflows/**"),
                                    *policy::PathGlob::parse("/**/CODEOWNERS")};
  const PathAliases aliases(globs);
  for (const auto& [name, taken_for] : {std::pair{".github", ".github"},
                                        {".GitHub", ".GitHub"},
                                        {"GITHUB~1", ".github"},
                                        {"gi1A2B~1", ".github"},
                                        {"workfl~2", "workflows"},
                                        {"CODEOW~1", "CODEOWNERS"},
                                        {".git\u200chub", ".github"},
                                        {".github. .", ".github"},
                                        {".github::$INDEX_ALLOCATION", ".github"},
                                        {"github", "github"},
                                        {"~1", "~1"},
                                        {"other~1", "other~1"}}) {
    EXPECT_EQ(aliases.name_for(name), taken_for) << name;
  }
  EXPECT_TRUE(aliases.is_folder("/.GitHub"));
  EXPECT_TRUE(aliases.is_folder("/.github/workflows"));
  EXPECT_FALSE(aliases.is_folder("/.github/workflows/x"));
  EXPECT_FALSE(aliases.is_folder("/docs"));
}

TEST(Base, HasInAHistoryWhatItsTipsLeadTo) {
  Base base(ObjectFormat::sha1);
  base.refs.tips["refs/heads/main"] = {id('1'), id('1')};
  base.refs.tips["refs/tags/v1"] = {id('8'), id('9')};
  base.graph.add_commit(id('1'), *parse_commit(commit(id('a'), {id('2')}), ObjectFormat::sha1));
  base.graph.add_commit(id('5'), *parse_commit(commit(id('a'), {id('2')}), ObjectFormat::sha1));
  base.find_rooted();
  for (const char in : {'1', '2', '9'}) EXPECT_TRUE(base.is_rooted(ObjectKey::of_hex(id(in)))) << in;
  for (const char out : {'5', '8', 'a'}) EXPECT_FALSE(base.is_rooted(ObjectKey::of_hex(id(out)))) << out;
}

class DecisionTest : public testing::Test {
 protected:
  void load(const std::string& push) {
    auto parsed =
        policy::Policy::parse({{"p.json", R"({"version": 1, "name": "p", "git": [{"id": "app", "action": "allow",
      "remotes": ["https://git.demo.test/app"], "push": )" +
                                              push + "}]}"}});
    ASSERT_TRUE(parsed) << parsed.error().message();
    policy_.emplace(std::move(*parsed));
    terms_ = policy_->git_terms({"git.demo.test", 443, "/app"});
  }
  git::PushVerdict decide_on(const std::string& output, const std::vector<git::RefCommand>& commands) {
    git::PushHead head;
    head.commands = commands;
    return decide_on(output, head);
  }
  git::PushVerdict decide_on(const std::string& output, const git::PushHead& head) {
    done_ = false;
    scan_ = std::make_unique<ObjectScan>(scanner_, question_, terms_, ObjectFormat::sha1,
                                         ObjectScan::Callbacks{[] {}, [this] { done_ = true; }});
    scan_->show(head);
    EXPECT_TRUE(scan_->take(output));
    scan_->finish();
    EXPECT_TRUE(scan_->whole());
    while (scanner_.last().question) scanner_.last().answer(dlp::ScanVerdict{outcome_, findings_, {}});
    EXPECT_TRUE(done_);
    return decide(*policy_, question_, head, terms_, {*scan_});
  }
  git::RefCommand command(char from, char to, const std::string& ref) { return {id(from), id(to), ref}; }

  proxy::ScriptedScanner scanner_;
  git::PushQuestion question_{"trace", "git.demo.test", 443, "/app", ""};
  std::optional<policy::Policy> policy_;
  policy::GitTerms terms_;
  std::unique_ptr<ObjectScan> scan_;
  dlp::ScanVerdict::Outcome outcome_ = dlp::ScanVerdict::Outcome::allow;
  std::vector<dlp::Finding> findings_;
  bool done_ = false;
};

TEST_F(DecisionTest, ShowsTheScannerEveryTextOfEveryObject) {
  load(R"({"branches": ["**"], "tags": ["**"]})");
  const std::string output =
      printed(id('1'), "commit", commit(id('2'), {}, "message\n", "Eve <e@x>", "encoding latin1\n")) +
      printed(id('2'), "tree", entry("100644", "name.txt", '3')) + printed(id('3'), "blob", "content") +
      printed(id('4'), "tag", "object " + id('1') + "\ntype commit\ntag v1\ntagger T <t@x> 1 +0000\n\ntold\n");
  const auto verdict = decide_on(output, {command('0', '1', "refs/heads/topic")});
  EXPECT_TRUE(verdict.decision.allowed()) << verdict.decision.reason;
  EXPECT_EQ(verdict.objects, 4u);
  const auto& shown = scanner_.last();
  EXPECT_EQ(shown.info.channel, "git");
  for (const auto& [where, what] : {std::pair{"ref name", "refs/heads/topic"},
                                    {"author", "Eve <e@x>"},
                                    {"commit header", "encoding latin1\n"},
                                    {"commit message", "message\n"},
                                    {"file name", "name.txt\n"},
                                    {"file", "content"},
                                    {"tag name", "v1"},
                                    {"tagger", "T <t@x>"},
                                    {"tag message", "told\n"}}) {
    EXPECT_EQ(shown.bytes(where), what);
  }
}

TEST_F(DecisionTest, SaysWhereAFindingIsAndRefusesEveryRef) {
  load(R"({"branches": ["**"]})");
  dlp::Finding finding;
  finding.rule = "test-token";
  finding.title = "test token";
  finding.action = FindingAction::deny;
  finding.location = "file";
  finding.part = 3;  // ref, ref, file name, file
  finding.offset = 4;
  findings_ = {finding};
  outcome_ = dlp::ScanVerdict::Outcome::deny;
  const auto verdict =
      decide_on(printed(id('2'), "tree", entry("100644", "a.env", '3')) + printed(id('3'), "blob", "one\ntwo\n"),
                {command('0', '1', "refs/heads/a"), command('0', '5', "refs/heads/b")});
  EXPECT_EQ(verdict.decision.rule_id, "dlp.test-token");
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].path, "a.env");
  EXPECT_EQ(verdict.findings[0].line, 2u);
  EXPECT_EQ(verdict.findings[0].object, id('3'));
  for (const auto& ref : verdict.refs) EXPECT_EQ(ref.decision.rule_id, "dlp.test-token");
  EXPECT_THAT(verdict.text, HasSubstr("in a.env line 2 (object 333333333333)"));
  const auto again = told(verdict);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->findings[0].line, 2u);
  EXPECT_EQ(again->text, verdict.text);
}

TEST(PushVerdict, HasRoomForAsManyRefsAsAPushMayHaveWhateverTheyAreCalled) {
  git::PushVerdict verdict;
  verdict.decision = {Verdict::deny, "git.branch", "no"};
  for (size_t i = 0; i < git::kMaxCommands; ++i) {
    verdict.refs.push_back({{id('0'), id('1'), "refs/heads/" + std::string(git::kMaxRefBytes, '\xff')},
                            false,
                            {Verdict::deny, "git.branch", std::string(1000, '\\')}});
  }
  const auto again = told(verdict);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->refs.size(), git::kMaxCommands);
  EXPECT_EQ(again->refs.back().decision.rule_id, "git.branch");
  verdict.refs.push_back(verdict.refs.back());
  EXPECT_FALSE(told(verdict));
}

TEST_F(DecisionTest, SaysNoForTheScannerThatIsAway) {
  load(R"({"branches": ["**"]})");
  git::PushHead head;
  head.commands = {command('0', '1', "refs/heads/a")};
  ObjectScan scan(scanner_, question_, terms_, ObjectFormat::sha1, {[] {}, [] {}});
  scan.show(head);
  scan.finish();
  scanner_.last().answer(fail("away"));
  EXPECT_EQ(decide(*policy_, question_, head, terms_, {scan}).decision.rule_id, "dlp.unavailable");
}

TEST_F(DecisionTest, SaysNoForAScannerThatDeniesWithoutAFindingThatDoes) {
  load(R"({"branches": ["**"]})");
  dlp::Finding finding;
  finding.rule = "entropy";
  finding.action = FindingAction::warn;
  findings_ = {finding};
  EXPECT_TRUE(decide_on("", {command('0', '1', "refs/heads/a")}).decision.allowed());
  outcome_ = dlp::ScanVerdict::Outcome::deny;
  EXPECT_EQ(decide_on("", {command('0', '1', "refs/heads/a")}).decision.rule_id, "dlp.unavailable");
}

TEST_F(DecisionTest, KeepsToTheTermsOfThePolicy) {
  const std::string head = commit(id('2'), {id('1')});
  const std::string base = printed(id('3'), "commit", head);
  struct Case {
    std::string push, output;
    git::RefCommand command;
    std::string rule;
  };
  const git::RefCommand forward = command('1', '3', "refs/heads/a");
  const std::string modules = "[submodule \"a\"]\npath = a\nurl = https://evil.example/x\n";
  const Case cases[] = {
      {R"({"branches": ["a"]})", base, forward, "app"},
      {R"({"branches": ["a"]})", base, command('4', '3', "refs/heads/a"), "git.force"},
      {R"({"branches": ["a"]})", base, command('3', '0', "refs/heads/a"), "git.delete"},
      {R"({"branches": ["b"]})", base, forward, "git.branch"},
      {R"({"branches": ["a"], "protected": ["a"]})", base, forward, "git.protected"},
      {R"({"branches": ["a"], "tags": ["**"]})", base, command('1', '3', "refs/tags/v"), "git.force"},
      {R"({"branches": ["a"], "authors": ["* <*@corp.example>"]})", base, forward, "git.identity"},
      {R"({"branches": ["a"], "trailers": ["Signed-off-by"]})", base, forward, "git.trailer"},
      {R"({"branches": ["a"], "unchanged": [".ci/**"]})", base, forward, "git.path-unproved"},
      // Back to what the remote has, and away to a history without them.
      {R"({"branches": ["a"], "force": true, "unchanged": [".ci/**"]})", "", forward, "git.path-unproved"},
      {R"({"branches": ["a"], "force": true, "unchanged": [".ci/**"]})",
       printed(id('3'), "commit", commit(id('2'), {})) + printed(id('2'), "tree", ""), forward, "git.path-unproved"},
      {R"({"branches": ["a"], "force": true})", "", forward, "app"},
      {R"({"branches": ["a"], "file_size": 10})", base + printed(id('5'), "blob", "eleven byte"), forward,
       "git.file-size"},
      {R"({"branches": ["a"]})", base + printed(id('5'), "blob", modules), forward, "git.submodule"},
      {R"({"branches": ["a"], "submodules": ["evil.example"]})", base + printed(id('5'), "blob", modules), forward,
       "app"},
      {R"({"branches": ["a"]})", printed(id('3'), "commit", "tree x"), forward, "git.object"},
      {R"({"branches": ["a"]})", base + printed(id('5'), "tree", entry("100644", std::string(4097, 'n'), '6')), forward,
       "git.object"},
  };
  for (const auto& [push, output, ref, rule] : cases) {
    load(push);
    const auto verdict = decide_on(output, {ref});
    EXPECT_EQ(verdict.decision.rule_id, rule) << push << verdict.decision.reason;
    EXPECT_EQ(verdict.decision.allowed(), rule == "app");
    EXPECT_EQ(verdict.refs[0].decision.allowed(), rule == "app");
  }
}

TEST_F(DecisionTest, KeepsToHowAPushIsToBeMade) {
  git::PushHead plain;
  plain.commands = {command('0', '1', "refs/heads/a")};
  git::PushHead several = plain;
  several.commands.push_back(command('0', '1', "refs/heads/b"));
  git::PushHead together = several;
  together.capabilities.atomic = true;
  git::PushHead certified = plain;
  certified.certificate = {"https://git.demo.test/app.git", {}, "certificate version 0.1\nnonce secret\n"};
  git::PushHead for_another = certified;
  for_another.certificate->pushee = "https://git.demo.test/other.git";
  const git::PushHead probe;
  struct Case {
    std::string push;
    const git::PushHead& head;
    std::string rule;
  };
  for (const auto& [push, head, rule] : {Case{R"({"branches": ["**"]})", certified, "git.signed"},
                                         {R"({"branches": ["**"]})", several, "app"},
                                         {R"({"branches": ["**"], "signed": "allow"})", certified, "app"},
                                         {R"({"branches": ["**"], "signed": "allow"})", plain, "app"},
                                         {R"({"branches": ["**"], "signed": "allow"})", for_another, "git.certificate"},
                                         {R"({"branches": ["**"], "signed": "require"})", certified, "app"},
                                         {R"({"branches": ["**"], "signed": "require"})", plain, "git.signed"},
                                         {R"({"branches": ["**"], "signed": "require", "atomic": true})", probe, "git"},
                                         {R"({"branches": ["**"], "atomic": true})", plain, "app"},
                                         {R"({"branches": ["**"], "atomic": true})", several, "git.atomic"},
                                         {R"({"branches": ["**"], "atomic": true})", together, "app"}}) {
    load(push);
    const auto verdict = decide_on("", head);
    EXPECT_EQ(verdict.decision.rule_id, rule) << push << verdict.decision.reason;
    EXPECT_EQ(verdict.decision.allowed(), !rule.starts_with("git.")) << push;
  }
  load(R"({"branches": ["**"], "signed": "allow"})");
  decide_on("", certified);
  EXPECT_EQ(scanner_.last().bytes("push certificate"), certified.certificate->words);
}

TEST_F(DecisionTest, TellsSubmodulesFromLfs) {
  const std::string module = "[submodule \"a\"]\nurl = https://one.example/x\n";
  const std::string lfs = "[lfs]\nurl = https://one.example/x\n";
  struct Case {
    std::string push, text, rule;
  };
  for (const auto& [push, text, rule] :
       {Case{R"({"branches": ["a"], "submodules": ["one.example"]})", module, "app"},
        {R"({"branches": ["a"], "submodules": ["one.example"]})", lfs, "git.lfs"},
        {R"({"branches": ["a"], "lfs_hosts": ["one.example"]})", lfs, "app"},
        {R"({"branches": ["a"], "lfs_hosts": ["one.example"]})", module, "git.submodule"},
        {R"({"branches": ["a"], "lfs_hosts": []})", "[lfs]\nurl = https://git.demo.test/x\n", "git.lfs"}}) {
    load(push);
    const auto verdict = decide_on(printed(id('5'), "blob", text), {command('0', '1', "refs/heads/a")});
    EXPECT_EQ(verdict.decision.rule_id, rule) << push << text;
  }
}

TEST_F(DecisionTest, NamesNoRefInARefusalThatTheScannerHasNotSeen) {
  load(R"({"branches": ["**"]})");
  git::PushHead head;
  head.commands = {command('0', '1', "refs/heads/clean"), command('0', '1', "refs/heads/secret")};
  EXPECT_EQ(refusal(head, "git.pack", "why", nullptr).refs[0].command.ref, "[not scanned]");
  dlp::Finding finding;
  finding.rule = "test-token";
  finding.action = FindingAction::deny;
  finding.part = 1;
  findings_ = {finding};
  outcome_ = dlp::ScanVerdict::Outcome::deny;
  decide_on("", head);
  const auto seen = refusal(head, "git.pack", "why", scan_.get());
  EXPECT_EQ(seen.refs[0].command.ref, "refs/heads/clean");
  EXPECT_EQ(seen.refs[1].command.ref, "refs/heads/***");
  EXPECT_EQ(seen.refs[1].decision.rule_id, "git.pack");
}

TEST_F(DecisionTest, ShowsWhatFollowsAnObjectThatIsOverALimit) {
  load(R"({"branches": ["**"]})");
  git::PushHead head;
  head.commands = {command('0', '1', "refs/heads/a")};
  ObjectScan scan(scanner_, question_, terms_, ObjectFormat::sha1, {[] {}, [this] { done_ = true; }});
  scan.show(head);
  ASSERT_TRUE(scan.take(printed(id('2'), "blob", "costly") + printed(id('3'), "blob", "after") +
                        printed(id('4'), "blob", std::string(kBatchBytes + 1, 'x'))));
  scan.finish();
  ASSERT_EQ(scanner_.streams.size(), 2u);  // what is large has one of its own
  dlp::Finding over;
  over.rule = "decode-budget";
  over.category = "limits";
  over.action = FindingAction::deny;
  over.part = 1;
  const auto deny = dlp::ScanVerdict::Outcome::deny;
  const auto allow = dlp::ScanVerdict::Outcome::allow;
  scanner_.streams[1]->answer(dlp::ScanVerdict{allow, {}, {}});
  scanner_.streams[0]->answer(dlp::ScanVerdict{deny, {over}, {}});
  ASSERT_EQ(scanner_.streams.size(), 4u);
  EXPECT_EQ(scanner_.streams[2]->bytes("file"), "costly");
  EXPECT_EQ(scanner_.streams[3]->bytes("file"), "after");
  EXPECT_FALSE(done_);
  scanner_.streams[3]->answer(dlp::ScanVerdict{allow, {}, {}});
  over.part = 0;
  scanner_.streams[2]->answer(dlp::ScanVerdict{deny, {over}, {}});
  EXPECT_TRUE(done_);
  const auto verdict = decide(*policy_, question_, head, terms_, {scan});
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].object, id('2'));
  EXPECT_EQ(verdict.decision.rule_id, "dlp.decode-budget");
}

TEST(Room, IsOneForAllThatIsRemembered) {
  auto room = std::make_shared<Room>(1000);
  PackGraph graph(ObjectFormat::sha1, room);
  TreeStore trees(room);
  EXPECT_TRUE(graph.add_commit(id('1'), *parse_commit(commit(id('2'), {}), ObjectFormat::sha1)));
  EXPECT_FALSE(trees.add(id('2'), std::string(1000, 'x')));
  EXPECT_TRUE(trees.overflowed());
  EXPECT_FALSE(graph.add_commit(id('3'), *parse_commit(commit(id('2'), {}), ObjectFormat::sha1)));
  EXPECT_FALSE(
      graph.add_tag(id('4'), *parse_tag("object " + id('1') + "\ntype commit\ntag v\n\nx", ObjectFormat::sha1)));
}

TEST_F(DecisionTest, RefusesAllRefsForOne) {
  load(R"({"branches": ["a"]})");
  const auto verdict = decide_on("", {command('0', '1', "refs/heads/a"), command('0', '1', "refs/heads/main")});
  EXPECT_EQ(verdict.decision.rule_id, "git.branch");
  EXPECT_EQ(verdict.refs[0].decision.rule_id, "git.another-ref");
  EXPECT_EQ(verdict.refs[1].decision.rule_id, "git.branch");
}

}  // namespace
}  // namespace gatehouse::git_gate
