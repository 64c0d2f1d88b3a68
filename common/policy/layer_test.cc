// What a policy file may not say, and the exact words in which that is told.
#include "common/policy/layer.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse::policy {
namespace {

std::string error_of(std::string_view text, bool machine_wide = false) {
  const auto policy = Policy::parse({{"p.json", std::string(text), machine_wide}});
  return policy ? "no error" : policy.error().message();
}

// The error of a policy whose one further member is `member`, without the source line and caret.
std::string first_line_of(std::string_view member) {
  const std::string error = error_of(fmt::format("{{\"version\": 1,\n{}}}", member));
  return error.substr(0, error.find('\n'));
}

TEST(PolicyError, ShowsPlaceLineAndCaret) {
  EXPECT_EQ(error_of("{\n  \"version\": 1,\n  \"htpp\": []\n}"),
            "p.json:3:3: unknown key 'htpp'; did you mean 'http'?\n"
            "  \"htpp\": []\n"
            "  ^");
}

TEST(PolicyError, CountsColumnsInCharactersAndShowsTabsAsSpaces) {
  EXPECT_EQ(error_of("{\"version\": 1, \"name\":\t\"\xc3\xa9\xc3\xa9\", \"x\\\"y\": 1}"),
            "p.json:1:30: unknown key 'x\"y'\n"
            "{\"version\": 1, \"name\": \"\xc3\xa9\xc3\xa9\", \"x\\\"y\": 1}\n"
            "                             ^");
}

TEST(PolicyError, ShowsOnlyThePartOfALongLineAroundThePlace) {
  const std::string padding(500, ' ');
  EXPECT_EQ(error_of("{" + padding + "\"bad\": 1" + padding + "}"),
            "p.json:1:502: unknown key 'bad'\n..." + std::string(60, ' ') + "\"bad\": 1" + std::string(52, ' ') +
                "...\n" + std::string(63, ' ') + "^");
}

TEST(PolicyError, SaysWhatIsNoJson) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "p.json: the file is empty; the least policy is {\"version\": 1}"},
      {"{\"version\": 1",
       "p.json:1:14: not JSON: unexpected end of input; expected '}'\n{\"version\": 1\n             ^"},
      {"{\"version\": 1,}",
       "p.json:1:15: not JSON: unexpected '}'; expected string literal\n{\"version\": 1,}\n              ^"},
      {"// only\n", "p.json:2:1: not JSON: unexpected end of input; expected '[', '{', or a literal\n\n^"},
      {std::string("{\0}", 3), "p.json:1:2: a NUL byte: this is not a text file\n{?}\n ^"},
      {"\x7f"
       "ELF\x02\x01\x01",
       "p.json:1:1: not JSON: invalid literal\n?ELF???\n^"},
      {"\xef\xbb\xbf{}", "p.json:1:1: a byte order mark; save the file as UTF-8 without one\n\xef\xbb\xbf{}\n^"},
      {"{ /* \xff */ }", "p.json:1:6: invalid UTF-8; save the file as UTF-8\n{ /* ? */ }\n     ^"},
      {"{\"a\": \"\xc0\xae\"}", "p.json:1:8: invalid UTF-8; save the file as UTF-8\n{\"a\": \"??\"}\n       ^"},
      {"[]", "p.json:1:1: a policy must be an object, not a list\n[]\n^"},
      {"{\"version\": 1e999}",
       "p.json:1:17: not JSON: number overflow parsing '1e999'\n{\"version\": 1e999}\n                ^"},
      {"{\"version\": 1, \"version\": 1}",
       "p.json:1:16: duplicate key 'version', first on line 1\n{\"version\": 1, \"version\": 1}\n               ^"},
      {"{\"version\": 1} {}",
       "p.json:1:16: not JSON: unexpected '{'; expected end of input\n{\"version\": 1} {}\n               ^"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(error_of(text), message);
}

TEST(PolicyError, RefusesDeepNestingAtItsLimit) {
  const auto nested = [](size_t levels) {
    return "{\"version\": 1, \"name\": " + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_EQ(error_of(nested(32)).substr(0, 45), "p.json:1:24: 'name' must be a string, not a l");
  EXPECT_EQ(error_of(nested(33)).substr(0, 45), "p.json:1:55: nested deeper than 32 levels\n{\"v");
  EXPECT_EQ(error_of(std::string(1 << 20, '[')).substr(0, 41), "p.json:1:33: nested deeper than 32 levels");
}

TEST(PolicyError, RefusesAnEnormousFile) {
  EXPECT_EQ(error_of("{\"version\": 1}" + std::string(kMaxPolicyBytes, ' ')),
            "p.json: 4194318 bytes, over the limit of 4194304 for a policy");
}

TEST(PolicyError, RefusesKeysItDoesNotEnforceYet) {
  for (const auto* key : {"secrets", "git", "mcp", "dlp", "limits"}) {
    EXPECT_EQ(first_line_of(fmt::format("\"{}\": {{}}", key)),
              fmt::format("p.json:2:1: '{}' is not enforced yet by this version of Gatehouse; remove it", key));
  }
}

TEST(PolicyError, NamesTheWrongKeyOrValue) {
  const std::string rule = R"("http": [{"id": "r", "action": "allow", "hosts": ["a.example.com"], )";
  const std::pair<std::string, std::string> cases[] = {
      {R"("name": 7)", "9: 'name' must be a string, not a number"},
      {R"("name": "a b")", "9: a name is 1 to 64 letters, digits, '-' and '_'"},
      {R"("unmatched": "pas")", "14: unknown unmatched 'pas'; did you mean 'pass'?"},
      {R"("unmatched": "pass")",
       "14: 'unmatched': \"pass\" is for machine-wide policies only; here it must be \"deny\""},
      {R"("http": {})", "9: 'http' must be a list of objects, not an object"},
      {R"("http": [7])", "10: 'http' must be a list of objects, not a number"},
      {R"("http": [{}])", "10: 'id' is missing"},
      {R"("http": [{"id": "r"}])", "10: 'action' is missing"},
      {R"("http": [{"id": "r", "action": "allow"}])", "10: 'hosts' is missing"},
      {R"("http": [{"id": "a.b"}])", "17: an id is 1 to 64 letters, digits, '-' and '_'"},
      {R"("http": [{"id": "default-deny"}])", "17: the id 'default-deny' is built in"},
      {R"("http": [{"id": "r", "action": "alow"}])", "32: unknown action 'alow'; did you mean 'allow'?"},
      {R"("http": [{"id": "r", "action": "block"}])", "32: unknown action 'block'; expected allow, ask, deny"},
      {R"("http": [{"host": []}])", "11: unknown key 'host'; did you mean 'hosts'?"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": "x.example.com"}])",
       "49: 'hosts' must be a list of hosts, not a string"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": [true]}])",
       "50: 'hosts' must be a list of hosts, not a boolean"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": ["@nmp"]}])",
       "50: unknown registry '@nmp'; did you mean '@npm'?"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": ["*"]}])",
       "50: '*' covers every name there is; name the hosts"},
      {rule + R"("schemes": ["htps"]}])", "81: unknown scheme 'htps'; did you mean 'https'?"},
      {rule + R"("ports": [0]}])", "79: a port is a number of 1 to 65535"},
      {rule + R"("ports": [65536]}])", "79: a port is a number of 1 to 65535"},
      {rule + R"("ports": ["80"]}])", "79: a port is a number of 1 to 65535"},
      {rule + R"("ports": [80, 1.5]}])", "83: a port is a number of 1 to 65535"},
      {rule + R"("methods": ["GET POST"]}])", "81: 'GET POST' is no HTTP method"},
      {rule + R"("paths": ["v1"]}])", "79: path 'v1' must begin with '/'"},
      {rule + R"("reason": "a\nb"}])", "79: 'reason' must be one line without control characters"},
      {rule + R"("ports": null}])", "78: 'ports' must be a list of numbers, not null"},
      {R"("dns": [{"id": "r", "action": "deny", "names": [], "types": ["AAA"]}])",
       "62: unknown DNS type 'AAA'; did you mean 'AAAA'?"},
      {R"("dns": [{"id": "r", "action": "deny", "names": [], "types": ["TYPE65536"]}])",
       "62: unknown DNS type 'TYPE65536'"},
      {R"("networks": ["10.0.0.0"])", "14: '10.0.0.0' has no prefix length (expected 10.0.0.0/8 or fd00::/8)"},
      {R"("networks": ["10.0.0.1/8"])", "14: '10.0.0.1/8' has host bits set beyond /8"},
      {R"("networks": ["0.0.0.0/0"])", "14: '0.0.0.0/0' covers the whole Internet; name the private networks"},
      {R"("networks": ["10/8"])", "14: '10' is not an IP address (expected 192.0.2.1 or 2001:db8::1)"},
      {R"("resolve": {"*.demo.test": "127.0.0.1"})", "13: 'resolve' takes exact hosts only"},
      {R"("resolve": {"a.test": "localhost"})",
       "23: 'localhost' is not an IP address (expected 192.0.2.1 or 2001:db8::1)"},
      {R"("resolve": {"a.test": "127.0.0.1:0"})", "23: '127.0.0.1:0' is no ADDRESS:PORT"},
      {R"("resolve": {"a.test": "127.0.0.1:70000"})", "23: '127.0.0.1:70000' is no ADDRESS:PORT"},
      {R"("resolve": {"a.test": "[::1]x"})", "23: '[::1]x' is no ADDRESS:PORT"},
      {R"("resolve": {"a.test": "["})", "23: '' is not an IP address (expected 192.0.2.1 or 2001:db8::1)"},
      {R"("registries": {"@nmp": []})", "16: unknown key '@nmp'; did you mean '@npm'?"},
      {R"("registries": {"@npm": ["http://10.0.0.5/npm"]})", "25: registry '10.0.0.5' is an address; give it a name"},
      {R"("registries": {"@npm": ["https://u:secret@/x"]})", "25: registry '' is no host name"},
      {R"("tests": [{"expect": "deny"}])", "11: a test has either 'http' or 'dns'"},
      {R"("tests": [{"dns": "A x", "http": "GET https://x/", "expect": "deny"}])",
       "11: a test has either 'http' or 'dns'"},
      {R"("tests": [{"dns": "A x"}])", "11: 'expect' is missing"},
      {R"("tests": [{"http": "https://x/", "expect": "deny"}])",
       "11: cannot read 'https://x/'; expected \"GET https://host/path\" or \"dns A name\""},
      {R"("extends": ["../x"])", "13: '../x' is no name of a shipped policy"},
  };
  for (const auto& [member, message] : cases) EXPECT_EQ(first_line_of(member), "p.json:2:" + message) << member;
}

TEST(PolicyError, WantsTheOneVersion) {
  EXPECT_EQ(error_of("{}").substr(0, 33), "p.json:1:1: 'version' is missing\n");
  EXPECT_EQ(error_of("{\"version\": 2}").substr(0, 57), "p.json:1:13: 'version' must be 1, the only one there is\n{");
  EXPECT_EQ(error_of("{\"version\": \"1\"}").substr(0, 57),
            "p.json:1:13: 'version' must be 1, the only one there is\n{");
}

TEST(PolicyError, WantsOneRuleForOneId) {
  EXPECT_EQ(first_line_of("\"http\": [{\"id\": \"r\", \"action\": \"deny\", \"hosts\": []}],\n"
                          "\"dns\": [{\"id\": \"r\", \"action\": \"deny\", \"names\": []}]"),
            "p.json:3:9: duplicate rule id 'r', first at p.json:2");
}

TEST(PolicyError, RefusesAWildcardThatLocalNamesWouldNotFollow) {
  EXPECT_EQ(first_line_of(R"("http": [{"id": "r", "action": "allow", "hosts": ["*.corp.internal"]}])"),
            "p.json:2:51: '*.corp.internal' is under a name that is local to each network; name such hosts exactly");
}

TEST(PolicyError, RefusesLayersThatDisagreeWhereAHostIs) {
  const auto policy = Policy::parse({{"a.json", R"({"version": 1, "resolve": {"x.test": "127.0.0.1"}})", true},
                                     {"b.json", R"({"version": 1, "resolve": {"x.test": "127.0.0.1:80"}})", false}});
  EXPECT_EQ(policy.error().message(),
            "b.json:1:28: 'x.test' resolves to another address at a.json:1\n"
            "{\"version\": 1, \"resolve\": {\"x.test\": \"127.0.0.1:80\"}}\n"
            "                           ^");
}

TEST(PolicyError, SaysWhichShippedPolicyWasMeant) {
  EXPECT_THAT(
      first_line_of(R"("extends": ["basline"])"),
      ::testing::MatchesRegex("p.json:2:13: no shipped policy 'basline' in .*/policies; did you mean 'baseline'\\?"));
}

TEST(PolicyError, WantsALayer) {
  EXPECT_EQ(Policy::parse({}).error().message(),
            "no policy: name one with --policy FILE, or put one in /etc/gatehouse/policy.d");
}

TEST(PolicyLoad, SaysWhyAFileCannotBeRead) {
  const std::string directory = ::testing::TempDir();
  EXPECT_EQ(Policy::load({directory + "/absent.json"}).error().message(),
            "cannot open " + directory + "/absent.json: No such file or directory");
  EXPECT_EQ(Policy::load({directory}).error().message(), directory + ": a directory, not a policy file");
  EXPECT_EQ(Policy::load({"/dev/zero"}).error().message(), "/dev/zero: not a regular file");
  const std::string huge = directory + "/huge.json";
  std::ofstream(huge) << "{}";
  std::filesystem::resize_file(huge, kMaxPolicyBytes + 1);
  EXPECT_EQ(Policy::load({huge}).error().message(), huge + ": larger than the limit of 4194304 bytes");
  std::filesystem::remove(huge);
}

TEST(PolicyLoad, TakesEveryShippedPolicyAndItsTestsHold) {
  const std::string directory = policies_directory().value();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".json" || entry.path().stem() == "schema") continue;
    const auto policy = Policy::load({entry.path()});
    ASSERT_TRUE(policy) << policy.error().message();
    const auto outcomes = policy->run_tests();
    EXPECT_FALSE(outcomes.empty()) << entry.path();
    for (const auto& outcome : outcomes) {
      EXPECT_TRUE(outcome.passed) << outcome.source << ":" << outcome.line << ": " << outcome.test << ": "
                                  << outcome.decision.reason;
    }
    ++files;
  }
  EXPECT_GE(files, 3);
}

}  // namespace
}  // namespace gatehouse::policy
