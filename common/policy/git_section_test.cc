// The "git" section: what may be fetched and pushed.
#include <gmock/gmock.h>

#include "common/policy/policy.h"
#include "common/policy/question.h"

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

constexpr std::string_view kPolicy = R"({"version": 1, "name": "p", "git": [
  {"id": "app", "action": "allow", "remotes": ["https://git.example.com/acme/app.git"],
   "push": {"branches": ["agent/**"], "tags": ["v*"], "protected": ["agent/frozen"], "pack_size": "1MiB"}},
  {"id": "libs", "action": "allow", "remotes": ["https://git.example.com/libs/*"]},
  {"id": "media", "action": "allow", "remotes": ["https://git.example.com/acme/media.git"],
   "push": {"branches": ["**"], "lfs": true}},
  {"id": "scratch", "action": "ask", "remotes": ["https://git.example.com:8443/scratch/**"], "fetch": false,
   "push": {"branches": ["**"], "delete": true, "force": true}},
  {"id": "no", "action": "deny", "remotes": ["https://git.example.com/libs/Secret"]}],
 "http": [{"id": "web", "action": "allow", "hosts": ["git.example.com"], "schemes": ["http", "https"]},
          {"id": "no-ro", "action": "deny", "hosts": ["git.example.com"], "paths": ["/acme/ro/**"]}]})";

const std::string kLfsId(64, 'a');

Policy policy() {
  auto parsed = Policy::parse({{"p.json", std::string(kPolicy)}});
  EXPECT_TRUE(parsed) << parsed.error().message();
  return std::move(*parsed);
}

TEST(GitRules, JudgeRequests) {
  const Policy p = policy();
  struct Case {
    std::string_view method;
    std::string path;
    Verdict verdict;
    std::string_view rule;
    std::string_view scheme = "https";
  };
  const Case cases[] = {
      {"GET", "/acme/app.git/info/refs?service=git-upload-pack", Verdict::allow, "app"},
      {"POST", "/acme/app.git/git-upload-pack", Verdict::allow, "app"},
      {"GET", "/acme/app.git/info/refs?service=git-receive-pack", Verdict::allow, "app"},
      {"POST", "/acme/app.git/git-receive-pack", Verdict::allow, "app"},
      {"POST", "/acme/app/git-receive-pack", Verdict::allow, "app"},
      {"POST", "/acme/App.git/git-receive-pack", Verdict::deny, "default-deny"},
      {"POST", "/acme/app.git/git-receive-pack", Verdict::deny, "default-deny", "http"},
      {"POST", "/acme/app.git/git-receive-pack/", Verdict::deny, "git.unclear"},
      {"POST", "/acme/app.git/Git-Receive-Pack", Verdict::deny, "git.unclear"},
      {"POST", "/acme/app.git/git-receive%2dpack", Verdict::deny, "git.unclear"},
      {"POST", "/acme/app.git/git-receive-pack;x", Verdict::deny, "git.unclear"},
      {"POST", "/libs/one/git-receive-pack", Verdict::deny, "default-deny"},
      {"POST", "/libs/one/git-upload-pack", Verdict::allow, "libs"},
      {"POST", "/libs/secret.git/git-upload-pack", Verdict::deny, "no"},
      {"POST", "/acme/ro/app.git/git-upload-pack", Verdict::deny, "no-ro"},
      {"POST", "/other/git-receive-pack", Verdict::deny, "default-deny"},
      {"POST", "/acme/app.git/info/lfs/objects/batch", Verdict::allow, "app"},  // what it is for, its body says
      {"POST", "/acme/other.git/info/lfs/objects/batch", Verdict::deny, "default-deny"},
      {"POST", "/acme/app.git/Info/LFS/objects/batch", Verdict::deny, "git.unclear"},
      {"POST", "/acme/app.git/info/lfs/objects/batch/", Verdict::deny, "git.lfs"},
      {"POST", "/acme/app.git/info/lfs/locks", Verdict::deny, "git.lfs"},
      {"PUT", "/acme/app.git/info/lfs/objects/" + kLfsId + "/12", Verdict::deny, "git.lfs"},
      {"GET", "/acme/app.git/info/lfs/objects/" + kLfsId, Verdict::allow, "app"},
      {"POST", "/acme/media.git/info/lfs/objects/batch", Verdict::allow, "media"},
      {"PUT", "/acme/media.git/info/lfs/objects/" + kLfsId + "/12", Verdict::allow, "media"},
      {"PUT", "/web/objects/pack/pack-1.pack", Verdict::deny, "git.unclear"},
      {"PUT", "/web/objects/ab/" + std::string(38, 'c'), Verdict::deny, "git.unclear"},
      {"MKCOL", "/web/objects/ab/", Verdict::deny, "git.unclear"},
      {"MOVE", "/web/refs/heads/main", Verdict::deny, "git.unclear"},
      {"PUT", "/web/info/refs", Verdict::deny, "git.unclear"},
      {"DELETE", "/web.git/refs/tags/v1", Verdict::deny, "git.unclear"},
      {"DELETE", "/api/git/refs/heads/x", Verdict::allow, "web"},
      {"PUT", "/web/objects/abc", Verdict::allow, "web"},
      {"PUT", "/acme/app.git/objects/12/345", Verdict::deny, "git.unclear"},
      {"LOCK", "/acme/App.Git/info/refs", Verdict::deny, "git.unclear"},
      {"PUT", "/acme/app", Verdict::allow, "web"},
      {"POST", "/other", Verdict::allow, "web"},
  };
  for (const auto& c : cases) {
    const auto decision = p.judge(HttpRequest{.scheme = c.scheme,
                                              .host = "git.example.com",
                                              .port = uint16_t(c.scheme == "http" ? 80 : 443),
                                              .method = c.method,
                                              .path = c.path});
    EXPECT_EQ(decision.verdict, c.verdict) << c.path;
    EXPECT_EQ(decision.rule_id, c.rule) << c.path << decision.reason;
  }
  const auto push = p.judge(HttpRequest{.scheme = "https",
                                        .host = "git.example.com",
                                        .port = 443,
                                        .method = "POST",
                                        .path = "/acme/app.git/git-receive-pack"});
  EXPECT_EQ(push.git, GitService::push);
  EXPECT_EQ(push.terms.request_body.bytes, 1u << 20);
  EXPECT_EQ(push.terms.request_body.rule, "app");
}

TEST(GitRules, AskForThePushAndNotForWhatComesBeforeIt) {
  const Policy p = policy();
  for (const auto& [method, path, verdict] :
       {std::tuple{"GET", "/scratch/a/info/refs?service=git-receive-pack", Verdict::allow},
        std::tuple{"POST", "/scratch/a/git-receive-pack", Verdict::ask}}) {
    const auto decision = p.judge(
        HttpRequest{.scheme = "https", .host = "git.example.com", .port = 8443, .method = method, .path = path});
    EXPECT_EQ(decision.verdict, verdict) << path;
    EXPECT_EQ(decision.rule_id, "scratch") << path;
  }
}

TEST(GitRules, JudgeRefs) {
  const Policy p = policy();
  const std::tuple<std::string, Verdict, std::string> cases[] = {
      {"push https://git.example.com/acme/app agent/x", Verdict::allow, "app"},
      {"push https://git.example.com/acme/app.git agent/x create", Verdict::allow, "app"},
      {"push https://git.example.com/acme/app main", Verdict::deny, "git.branch"},
      {"push https://git.example.com/acme/app refs/tags/v1 create", Verdict::allow, "app"},
      {"push https://git.example.com/acme/app refs/tags/x create", Verdict::deny, "git.tag"},
      {"push https://git.example.com/acme/app refs/notes/x create", Verdict::deny, "git.ref"},
      {"push https://git.example.com/acme/app agent/x delete", Verdict::deny, "git.delete"},
      {"push https://git.example.com/acme/app agent/x force", Verdict::deny, "git.force"},
      {"push https://git.example.com/acme/app agent/Frozen", Verdict::deny, "git.protected"},
      {"push https://git.example.com/libs/one main", Verdict::deny, "default-deny"},
      {"push https://git.example.com:8443/scratch/a/b x force", Verdict::ask, "scratch"},
      {"push https://git.example.com:8443/scratch/a/b x delete", Verdict::ask, "scratch"},
      {"fetch https://git.example.com:8443/scratch/a/b", Verdict::deny, "default-deny"},
      {"fetch https://git.example.com/libs/one", Verdict::allow, "libs"},
  };
  for (const auto& [text, verdict, rule] : cases) {
    const auto question = parse_git_question(text);
    ASSERT_TRUE(question) << question.error().message();
    const auto decision = question->judge_git(p);
    EXPECT_EQ(decision.verdict, verdict) << text << ": " << decision.reason;
    EXPECT_EQ(decision.rule_id, rule) << text << ": " << decision.reason;
  }
}

TEST(GitRules, LetRefsBeMadeOrChangedAsTheySay) {
  const auto p = Policy::parse({{"p.json", R"({"version": 1, "name": "p", "git": [
    {"id": "fixed", "action": "allow", "remotes": ["https://git.example.com/fixed"],
     "push": {"branches": ["**"], "tags": ["**"], "create": false}},
    {"id": "once", "action": "allow", "remotes": ["https://git.example.com/once"],
     "push": {"branches": ["**"], "tags": ["**"], "update": false, "delete": true}}]})"}});
  ASSERT_TRUE(p) << p.error().message();
  using Kind = RefUpdate::Kind;
  const std::tuple<std::string_view, std::string_view, Kind, std::string_view> cases[] = {
      {"/fixed", "refs/heads/a", Kind::create, "git.create"}, {"/fixed", "refs/tags/a", Kind::create, "git.create"},
      {"/fixed", "refs/heads/a", Kind::update, "fixed"},      {"/fixed", "refs/tags/a", Kind::remove, "git.delete"},
      {"/once", "refs/heads/a", Kind::create, "once"},        {"/once", "refs/heads/a", Kind::update, "git.update"},
      {"/once", "refs/tags/a", Kind::update, "git.update"},   {"/once", "refs/tags/a", Kind::remove, "once"}};
  for (const auto& [path, ref, kind, rule] : cases) {
    const auto decision = p->judge(GitRemote{"git.example.com", 443, path}, RefUpdate{ref, kind});
    EXPECT_EQ(decision.rule_id, rule) << path << ref;
    EXPECT_EQ(decision.allowed(), !rule.starts_with("git.")) << path << ref;
  }
}

TEST(GitRules, NarrowOverLayers) {
  const std::string floor = R"({"version": 1, "name": "floor", "unmatched": "pass", "git": [
    {"id": "corp", "action": "allow", "remotes": ["https://git.example.com/acme/**"],
     "push": {"branches": ["**"], "unchanged": [".ci/**"], "pack_size": "512KiB"}}]})";
  const auto both = Policy::parse({{"floor.json", floor, true}, {"p.json", std::string(kPolicy)}});
  ASSERT_TRUE(both) << both.error().message();
  const GitRemote remote{"git.example.com", 443, "/acme/app"};
  EXPECT_TRUE(both->judge(remote, RefUpdate{"refs/heads/agent/x"}).allowed());
  EXPECT_EQ(both->judge(remote, RefUpdate{"refs/tags/v1", RefUpdate::Kind::create}).rule_id, "git.tag");
  EXPECT_EQ(both->judge(remote, RefUpdate{"refs/heads/main"}).rule_id, "git.branch");
  const auto terms = both->git_terms(remote);
  EXPECT_EQ(terms.pack_bytes.value, 512u << 10);
  EXPECT_EQ(terms.unchanged.size(), 1u);
}

TEST(GitRules, SayHowAPushIsToBeMade) {
  const auto terms_of = [](const std::string& one, const std::string& other) {
    const auto rule = [](const std::string& id, const std::string& push) {
      return R"({"version": 1, "name": ")" + id + R"(", "git": [{"id": ")" + id +
             R"(", "action": "allow", "remotes": ["https://a.example.com/x"], "push": {)" + push + "}}]}";
    };
    const auto parsed = Policy::parse({{"floor.json", rule("floor", one), true}, {"own.json", rule("own", other)}});
    EXPECT_TRUE(parsed) << parsed.error().message();
    return parsed->git_terms({"a.example.com", 443, "/x"});
  };
  auto terms = terms_of(R"("signed": "allow", "push_options": true)",
                        R"("signed": "require", "push_options": true, "atomic": true)");
  EXPECT_EQ(terms.unsigned_by, "");
  EXPECT_EQ(terms.signed_by, "own");
  EXPECT_EQ(terms.atomic_by, "own");
  EXPECT_EQ(terms.no_push_options_by, "");
  terms = terms_of(R"("signed": "require", "lfs_hosts": ["lfs.example.com"])", R"("submodules": [])");
  EXPECT_EQ(terms.unsigned_by, "own");  // what a rule leaves out never opens anything
  EXPECT_EQ(terms.signed_by, "floor");
  EXPECT_EQ(terms.atomic_by, "");
  EXPECT_EQ(terms.no_push_options_by, "floor");
  ASSERT_EQ(terms.lfs.size(), 2u);
  EXPECT_TRUE(terms.lfs[0].hosts[0].matches("lfs.example.com"));
  EXPECT_TRUE(terms.lfs[1].hosts[0].matches("a.example.com"));
  ASSERT_EQ(terms.submodules.size(), 2u);
  EXPECT_TRUE(terms.submodules[0].hosts[0].matches("a.example.com"));
  EXPECT_TRUE(terms.submodules[1].hosts.empty());
}

TEST(GitRules, MakeTheirHostsResolvable) {
  const auto p = Policy::parse({{"p.json", R"({"version": 1, "git": [
    {"id": "a", "action": "allow", "remotes": ["https://code.example.com/x", "https://git.internal/x"]},
    {"id": "d", "action": "deny", "remotes": ["https://bad.example.com/x"]}]})"}});
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_TRUE(p->judge(DnsQuestion{"code.example.com", "A"}).allowed());
  EXPECT_TRUE(p->judge(DnsQuestion{"git.internal", "A"}).allowed());
  EXPECT_FALSE(p->judge(DnsQuestion{"bad.example.com", "A"}).allowed());
  EXPECT_THAT(p->git_hosts(), testing::ElementsAre("https://code.example.com", "https://git.internal"));
  EXPECT_FALSE(p->lets_push());
}

TEST(GitRules, SayWhatIsWrongWithThem) {
  const std::string rule = R"({"id": "r", "action": "allow", "remotes": ["https://a.example.com/x"])";
  const std::pair<std::string, std::string> cases[] = {
      {R"({"id": "r", "action": "allow"})", "'remotes' is missing"},
      {R"({"id": "r", "action": "allow", "remotes": ["http://a.example.com/x"]})", "must begin with https://"},
      {R"({"id": "r", "action": "allow", "remotes": ["https://a.example.com"]})", "names no repository"},
      {R"({"id": "r", "action": "allow", "remotes": ["https://*.com/x"]})", "covers the whole top-level domain"},
      {rule + R"(, "push": {"branch": ["x"]}})", "unknown key 'branch'; did you mean 'branches'?"},
      {rule + R"(, "push": {"branches": ["/x"]}})", "must not begin with '/'"},
      {rule + R"(, "push": {"authors": ["x@y"]}})", "no pattern of a person"},
      {rule + R"(, "push": {"objects": 0}})", "'objects' is a number"},
      {rule + R"(, "push": {"signed": "requires"}})", "did you mean 'require'?"},
      {rule + R"(, "push": {"signed": true}})", "'signed'"},
      {R"({"id": "r", "action": "deny", "remotes": [], "push": {}})", "this rule denies every push"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = Policy::parse({{"p.json", R"({"version": 1, "git": [)" + text + "]}"}});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr(why));
  }
}

TEST(GitExemptions, AreForPlacesInAPushAndNeverReachPastTheMachine) {
  const std::string id(40, 'a');
  const Source session{"p.json", R"({"version": 1, "name": "p", "dlp": {"exempt": [
      {"id": "samples", "rule": "github-pat", "remotes": ["https://git.example.com/acme/*.git"], "paths": ["tests/**"]},
      {"id": "blob", "rule": "github-pat", "remotes": ["https://git.example.com/acme/app"], "objects": [")" +
                                     id + R"("]}]}})"};
  const Source machine{"m.json",
                       R"({"version": 1, "name": "m", "unmatched": "pass", "dlp": {"deny": ["credentials"]}})", true};
  const auto exemption = [&](const std::vector<Source>& layers, GitPlace place, std::string_view rule = "github-pat") {
    const auto parsed = Policy::parse(layers);
    EXPECT_TRUE(parsed) << parsed.error().message();
    return parsed->judge(FindingQuestion{rule, "credentials", FindingAction::deny, "git.example.com", place}).exemption;
  };
  const GitRemote app{"git.example.com", 443, "/acme/app"}, lib{"git.example.com", 443, "/acme/lib"};
  EXPECT_EQ(exemption({session}, {app, "b", "tests/a/b.txt"}), "samples");
  EXPECT_EQ(exemption({session}, {app, id, "src/x"}), "blob");
  EXPECT_EQ(exemption({session}, {app, id, ""}), "blob");
  for (const GitPlace& place :
       {GitPlace{app, "b", "src/x"}, GitPlace{app, "b", ""}, GitPlace{app, "b", "Tests/a"}, GitPlace{lib, id, "src/x"},
        GitPlace{{"git.example.com", 8443, "/acme/app"}, id, "tests/a"}}) {
    EXPECT_EQ(exemption({session}, place), "") << place.path;
  }
  EXPECT_EQ(exemption({session}, {app, "b", "tests/a"}, "gitlab-pat"), "");
  EXPECT_EQ(exemption({machine, session}, {app, id, "tests/a"}), "");
  const auto parsed = Policy::parse({session});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->judge(FindingQuestion{"github-pat", "credentials", FindingAction::deny, "git.example.com"}).action,
            FindingAction::deny);
  EXPECT_THAT(parsed->describe(), HasSubstr("exempt samples"));
  EXPECT_THAT(*parsed->explain("git push https://git.example.com/acme/app main"), HasSubstr("exempt blob"));
  EXPECT_THAT(*parsed->explain("dlp github-pat git.example.com"), HasSubstr("in a push to"));
}

TEST(GitExemptions, LetWhatIsOverALimitByItsIdAlone) {
  const std::string id(40, 'a');
  const auto exempts = [](const std::string& member) {
    return Policy::parse(
        {{"p.json", R"({"version": 1, "dlp": {"exempt": [{"id": "r", "rule": "decode-budget", )" + member + "}]}}"}});
  };
  const std::string remotes = R"("remotes": ["https://git.example.com/acme/app"])";
  const auto parsed = exempts(remotes + R"(, "objects": [")" + id + R"("])");
  ASSERT_TRUE(parsed) << parsed.error().message();
  const auto action = [&](GitPlace place) {
    return parsed->judge(FindingQuestion{"decode-budget", "limits", FindingAction::deny, "git.example.com", place})
        .action;
  };
  const GitRemote app{"git.example.com", 443, "/acme/app"};
  EXPECT_EQ(action({app, id, "any"}), FindingAction::exempt);
  EXPECT_EQ(action({app, std::string(40, 'b'), "any"}), FindingAction::deny);
  EXPECT_EQ(action({app, "", "any"}), FindingAction::deny);
  EXPECT_EQ(parsed->judge(FindingQuestion{"decode-budget", "limits", FindingAction::deny, "git.example.com"}).action,
            FindingAction::deny);
  for (const auto& no :
       {remotes + R"(, "paths": ["**"])", remotes + R"(, "paths": ["a"], "objects": [")" + id + R"("])",
        std::string(R"("hosts": ["git.example.com"])")}) {
    const auto refused = exempts(no);
    ASSERT_FALSE(refused) << no;
    EXPECT_THAT(refused.error().message(), HasSubstr("cannot be exempted: what is over a limit was not scanned"));
  }
}

TEST(GitExemptions, NameWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {R"("remotes": ["https://a.example.com/x"])", "names 'remotes', and 'paths' or 'objects' there"},
      {R"("remotes": [], "paths": ["a"])", "names 'remotes', and 'paths' or 'objects' there"},
      {R"("remotes": ["https://a.example.com/x"], "paths": [])", "names 'remotes', and 'paths' or 'objects' there"},
      {R"("remotes": ["https://*.com/x"], "paths": ["a"])", "covers the whole top-level domain"},
      {R"("remotes": ["https://a.example.com/x"], "paths": ["/a"])", "must not begin with '/'"},
      {R"("remotes": ["https://a.example.com/x"], "objects": ["abcd"])", "is no object's id"},
      {R"("remotes": ["https://a.example.com/x"], "paths": ["a"], "hosts": ["a.example.com"])",
       "either 'hosts' or 'remotes'"},
      {R"("hosts": ["a.example.com"], "paths": ["a"])", "'paths' needs 'remotes'"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = Policy::parse(
        {{"p.json", R"({"version": 1, "dlp": {"exempt": [{"id": "r", "rule": "iban", )" + text + "}]}}"}});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace gatehouse::policy
