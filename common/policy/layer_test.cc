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
      {rule + R"("qury": {}}])", "69: unknown key 'qury'; did you mean 'query'?"},
      {rule + R"("query": []}])", "78: 'query' must be an object of names, not a list"},
      {rule + R"("query": {"": true}}])",
       "79: a parameter's name is 1 to 256 printable ASCII characters, as it is once decoded"},
      {rule + R"("query": {"q": 1}}])",
       "84: 'q' of \"query\" must be true (it is there), false (it is not), a text or a list of texts, not a number"},
      {rule + R"("query": {"q": ["a", null]}}])",
       "90: 'q' of \"query\" must be true (it is there), false (it is not), a text or a list of texts, not null"},
      {rule + R"("query": {"q": "\t"}}])", "84: a value must be printable ASCII; write * for other characters"},
      {rule + R"("query": {"a.b": true, "A_b": true}}])", "92: 'a.b' and 'A_b' are the same to some servers"},
      {rule + R"("headers": {"X Y": true}}])", "81: 'X Y' is no name of a header field"},
      {rule + R"("headers": {"Host": "x"}}])", "81: 'Host' is what \"hosts\" speaks of"},
      {rule + R"("headers": {"content_length": "x"}}])", "81: 'Content-Length' is what \"request_body\" speaks of"},
      {rule + R"("headers": {"TE": true}}])", "81: 'TE' is never forwarded as sent"},
      {rule + R"("headers": {"X-A": true, "x_a": false}}])", "94: 'X-A' and 'x_a' are the same to some servers"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": [], "request_body": "1MiB"}])",
       "69: 'request_body' bounds what a rule lets through; this one denies"},
      {R"("http": [{"id": "r", "action": "allow", "hosts": [], "request_body": "1TB"}])",
       "70: 'request_body' must be a number of bytes, or a size such as \"512KiB\", \"32MiB\" or \"1GiB\""},
      {R"("http": [{"id": "r", "action": "allow", "hosts": [], "response_body": "2048GiB"}])",
       "71: 'response_body' is out of its range of 0 to 1024GiB"},
      {R"("tests": [{"http": "GET https://x/", "headers": {"A:": "x"}, "expect": "deny"}])",
       "50: 'A:' is no name of a header field"},
      {R"("tests": [{"dns": "A x", "headers": {}, "expect": "deny"}])", "37: 'headers' go with an http question"},
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
      {R"("tests": [{"expect": "deny"}])",
       "11: a test needs one of 'http', 'git', 'tls', 'mcp', 'resource', 'prompt', 'dns' and 'dlp'"},
      {R"("tests": [{"dns": "A x", "http": "GET https://x/", "expect": "deny"}])",
       "11: a test asks one question, not several"},
      {R"("tests": [{"dns": "A x"}])", "11: 'expect' is missing"},
      {R"("tests": [{"http": "https://x/", "expect": "deny"}])",
       "11: cannot read 'https://x/'; expected \"GET https://host/path\", \"git push https://host/path branch\", \"tls "
       "host\", \"mcp server tool {...}\", \"resource server uri\", \"prompt server name\", \"dns "
       "A name\" or \"dlp rule host\""},
      {R"("tests": [{"dlp": "github-pat", "expect": "deny"}])",
       "11: cannot read 'github-pat'; expected \"GET https://host/path\", \"git push https://host/path branch\", \"tls "
       "host\", \"mcp server tool {...}\", \"resource server uri\", \"prompt server name\", \"dns "
       "A name\" or \"dlp rule host\""},
      {R"("tests": [{"dlp": "GitHub a.example.com", "expect": "deny"}])",
       "11: cannot read 'GitHub a.example.com'; expected \"GET https://host/path\", \"git push https://host/path "
       "branch\", \"tls host\", \"mcp server tool {...}\", \"resource server uri\", \"prompt server name\", \"dns A "
       "name\" or \"dlp rule "
       "host\""},
      {R"("tests": [{"dlp": "github-pat a.example.com", "expect": "allow"}])",
       "57: unknown expect 'allow'; expected deny, redact, warn, exempt"},
      {R"("tests": [{"dlp": "github-pat a.example.com", "expect": "deny", "rule": "x"}])",
       "73: 'rule' of a dlp test is the exemption; it goes with \"expect\": \"exempt\""},
      {R"("extends": ["../x"])", "13: '../x' is no name of a shipped policy"},
  };
  for (const auto& [member, message] : cases) EXPECT_EQ(first_line_of(member), "p.json:2:" + message) << member;
}

TEST(PolicyError, NamesWhatIsWrongInDlp) {
  const std::pair<std::string, std::string> cases[] = {
      {R"("dlp": [])", "8: 'dlp' must be an object, not a list"},
      {R"("dlp": {"block": []})", "9: unknown key 'block'"},
      {R"("dlp": {"denny": []})", "9: unknown key 'denny'; did you mean 'deny'?"},
      {R"("dlp": {"deny": "credentials"})", "17: 'deny' must be a list of rule ids and categories, not a string"},
      {R"("dlp": {"deny": [1]})", "18: 'deny' must be a string, not a number"},
      {R"("dlp": {"deny": ["Known_Secrets"]})",
       "18: 'Known_Secrets' is no rule id (lower-case letters, digits and '-'); did you mean 'known-secrets'?"},
      {R"("dlp": {"deny": ["*"]})", "18: '*' is no rule id (lower-case letters, digits and '-')"},
      {R"("dlp": {"deny": [""]})", "18: '' is no rule id (lower-case letters, digits and '-')"},
      {R"("dlp": {"deny": ["entropy"], "warn": ["iban", "entropy"]})",
       "47: 'entropy' is in 'deny' already, at p.json:2"},
      {R"("dlp": {"warn": ["iban", "iban"]})", "26: 'iban' is in 'warn' already, at p.json:2"},
      {R"("dlp": {"warn": ["limits"]})", "18: 'limits' can only be denied: what is over a limit was not scanned"},
      {R"("dlp": {"redact": ["decode-budget"]})",
       "20: 'decode-budget' can only be denied: what is over a limit was not scanned"},
      {R"("dlp": {"exempt": {}})", "19: 'exempt' must be a list of objects, not an object"},
      {R"("dlp": {"exempt": ["x"]})", "20: 'exempt' must be a list of objects, not a string"},
      {R"("dlp": {"exempt": [{}]})", "20: 'id' is missing"},
      {R"("dlp": {"exempt": [{"id": "x"}]})", "20: 'rule' is missing"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "iban"}]})", "20: 'hosts' is missing"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "iban", "hosts": []}]})",
       "57: 'hosts' is empty; an exemption names the hosts it is for"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "iban", "host": ["a.example.com"]}]})",
       "48: unknown key 'host'; did you mean 'hosts'?"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "iban", "hosts": ["*.com"]}]})",
       "58: '*.com' covers the whole top-level domain 'com'; name the hosts"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "iban", "hosts": ["@nmp"]}]})",
       "58: unknown registry '@nmp'; did you mean '@npm'?"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "credentials"}]})",
       "40: 'credentials' is a category; an exemption names one rule"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "canaries"}]})",
       "40: 'canaries' cannot be exempted: a canary has no business anywhere"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "canary"}]})",
       "40: 'canary' cannot be exempted: a canary has no business anywhere"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "limits"}]})",
       "40: 'limits' cannot be exempted: what is over a limit was not scanned"},
      {R"("dlp": {"exempt": [{"id": "x", "rule": "decode-budget"}]})",
       "40: 'decode-budget' cannot be exempted: what is over a limit was not scanned"},
  };
  for (const auto& [member, message] : cases) EXPECT_EQ(first_line_of(member), "p.json:2:" + message) << member;
  EXPECT_EQ(
      first_line_of("\"http\": [{\"id\": \"x\", \"action\": \"deny\", \"hosts\": []}],\n"
                    "\"dlp\": {\"exempt\": [{\"id\": \"x\", \"rule\": \"iban\", \"hosts\": [\"a.example.com\"]}]}"),
      "p.json:3:20: duplicate rule id 'x', first at p.json:2");
}

TEST(PolicyError, NamesWhatIsWrongInLimits) {
  const std::string size = "must be a number of bytes, or a size such as \"512KiB\", \"32MiB\" or \"1GiB\"";
  const std::pair<std::string, std::string> cases[] = {
      {R"("limits": 7)", "11: 'limits' must be an object, not a number"},
      {R"("limits": {"body": 7})", "12: unknown key 'body'"},
      {R"("limits": {"request_body": 1023})", "28: 'request_body' is out of its range of 1KiB to 4GiB"},
      {R"("limits": {"request_body": -1})", "28: 'request_body' is out of its range of 1KiB to 4GiB"},
      {R"("limits": {"request_body": "5GiB"})", "28: 'request_body' is out of its range of 1KiB to 4GiB"},
      {R"("limits": {"request_body": "99999999999999999999GiB"})",
       "28: 'request_body' is out of its range of 1KiB to 4GiB"},
      {R"("limits": {"request_body": "17179869184GiB"})", "28: 'request_body' is out of its range of 1KiB to 4GiB"},
      {R"("limits": {"request_body": "32MB"})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": "1.5MiB"})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": "-1MiB"})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": "32 MiB"})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": "32"})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": ""})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": 1.5})", "28: 'request_body' " + size},
      {R"("limits": {"request_body": null})", "28: 'request_body' " + size},
      {R"("limits": {"decoded_bytes": "17GiB"})", "29: 'decoded_bytes' is out of its range of 64KiB to 16GiB"},
      {R"("limits": {"decode_depth": 0})", "28: 'decode_depth' is out of its range of 1 to 32"},
      {R"("limits": {"decode_depth": 33})", "28: 'decode_depth' is out of its range of 1 to 32"},
      {R"("limits": {"decode_depth": "8"})", "28: 'decode_depth' must be a whole number"},
      {R"("limits": {"scan_time": 10})", "25: 'scan_time' must be a time such as \"500ms\", \"10s\" or \"5min\""},
      {R"("limits": {"session": {"request": 1}})", "24: unknown key 'request'; did you mean 'requests'?"},
      {R"("limits": {"host": 7})", "20: 'host' must be an object, not a number"},
      {R"("limits": {"host": {"requests_per_minute": 0}})",
       "44: 'requests_per_minute' is out of its range of 1 to 1000000"},
      {R"("limits": {"host": {"bytes_out": "1TB"}})",
       "34: 'bytes_out' must be a number of bytes, or a size such as \"512KiB\", \"32MiB\" or \"1GiB\""},
      {R"("limits": {"connect_time": "5min"})", "28: 'connect_time' is out of its range of 100ms to 120s"},
      {R"("http": [{"id": "r", "action": "deny", "hosts": [], "budget": {}}])",
       "63: 'budget' bounds what a rule lets through; this one denies"},
      {R"("limits": {"approval_time": "25h"})", "29: 'approval_time' is out of its range of 1s to 24h"},
      {R"("limits": {"scan_time": "10m"})", "25: 'scan_time' must be a time such as \"500ms\", \"10s\" or \"5min\""},
      {R"("limits": {"scan_time": "9ms"})", "25: 'scan_time' is out of its range of 10ms to 600s"},
      {R"("limits": {"scan_time": "601s"})", "25: 'scan_time' is out of its range of 10ms to 600s"},
  };
  for (const auto& [member, message] : cases) EXPECT_EQ(first_line_of(member), "p.json:2:" + message) << member;
}

TEST(PolicyError, NamesWhatIsWrongInSecrets) {
  const std::string forms = "\"env:NAME\", \"file:/PATH\" or [\"command\", \"argument\"...]";
  const std::string places = " is no place for a credential: bearer, basic, basic:USER, header:NAME or query:NAME";
  const auto bound = [](std::string_view rest) {
    return fmt::format(R"("secrets": {{"A": {{"from": "env:A", "hosts": ["a.example.com"]{}}}}})", rest);
  };
  const std::pair<std::string, std::string> cases[] = {
      {R"("secrets": [])", "12: 'secrets' must be an object, not a list"},
      {R"("secrets": {"A-B": {}})",
       "13: 'A-B' is no name of a secret: 1 to 64 letters, digits and '_', no digit first"},
      {R"("secrets": {"1A": {}})", "13: '1A' is no name of a secret: 1 to 64 letters, digits and '_', no digit first"},
      {R"("secrets": {"": {}})", "13: '' is no name of a secret: 1 to 64 letters, digits and '_', no digit first"},
      {R"("secrets": {"A": "env:A"})", "18: 'A' must be an object, not a string"},
      {R"("secrets": {"A": {}})", "18: 'from' is missing"},
      {R"("secrets": {"A": {"from": "env:A", "as": "bearer"}})",
       "36: 'as' without \"hosts\": to whom the secret goes must be said"},
      {R"("secrets": {"A": {"from": "env:A", "inject": "always"}})",
       "36: 'inject' without \"hosts\": to whom the secret goes must be said"},
      {R"("secrets": {"A": {"from": "env:A", "hosts": ["*"], "as": "bearer"}})",
       "46: '*' covers every name there is; name the hosts"},
      {bound(""), "18: 'as' is missing"},
      {bound(R"(, "as": [])"), "70: 'as' names no place"},
      {bound(R"(, "as": "Bearer")"), "70: 'Bearer'" + places},
      {bound(R"(, "as": "bearer:x")"), "70: 'bearer:x'" + places},
      {bound(R"(, "as": "basic:a:b")"), "70: 'basic:a:b'" + places},
      {bound(R"(, "as": "header:")"), "70: 'header:'" + places},
      {bound(R"(, "as": "header:x y")"), "70: 'header:x y'" + places},
      {bound(R"(, "as": "header:Host")"), "70: the field 'host' belongs to the connection and carries no credential"},
      {bound(R"(, "as": "query:a&b")"), "70: 'query:a&b'" + places},
      {bound(R"(, "as": ["bearer", 7])"), "81: 'as' must be a list of strings, not of a number"},
      {bound(R"(, "as": "basic", "inject": "always")"),
       "70: \"inject\": \"always\" needs to know the user: \"basic:USER\""},
      {bound(R"(, "as": "bearer", "inject": "allways")"), "90: unknown inject 'allways'; did you mean 'always'?"},
      {bound(R"(, "as": "bearer", "placeholder": "sk ant")"),
       "95: 'placeholder' is what one begins with: up to 32 letters, digits, '-', '_' and '.'"},
      {bound(R"(, "as": "bearer", "ports": [0])"), "90: a port is a number of 1 to 65535"},
      {R"("secrets": {"A": {"form": "env:A"}})", "19: unknown key 'form'; did you mean 'from'?"},
      {R"("secrets": {"A": {"from": 7}})", "27: 'from' must be " + forms + ", not a number"},
      {R"("secrets": {"A": {"from": "env:"}})", "27: '' is no name of an environment variable"},
      {R"("secrets": {"A": {"from": "env:A=B"}})", "27: 'A=B' is no name of an environment variable"},
      {R"("secrets": {"A": {"from": "file:token"}})", "27: 'token' is no absolute path"},
      {R"("secrets": {"A": {"from": "file:/a\u0000b"}})", "27: '/a\\x00b' is no absolute path"},
      {R"("secrets": {"A": {"from": []}})", "27: the command is empty"},
      {R"("secrets": {"A": {"from": [""]}})", "27: the command is empty"},
      {R"("secrets": {"A": {"from": ["pass", 7]}})", "36: 'from' must be a string, not a number"},
      {R"("secrets": {"A": {"from": ["a\u0000b"]}})", "28: a NUL in a command"},
  };
  for (const auto& [member, message] : cases) EXPECT_EQ(first_line_of(member), "p.json:2:" + message) << member;
}

TEST(PolicyError, DoesNotRepeatASecretWrittenIntoThePolicyItself) {
  EXPECT_EQ(error_of(R"({"version": 1, "secrets": {"A": {"from": "hunter2hunter2"}}})"),
            "p.json:1:42: 'from' says where the value is: \"env:NAME\", \"file:/PATH\" or [\"command\", "
            "\"argument\"...]");
}

TEST(PolicyError, RefusesLayersThatDisagreeWhereASecretIs) {
  const auto policy = Policy::parse({{"a.json", R"({"version": 1, "secrets": {"A": {"from": "env:A"}}})", true},
                                     {"b.json", R"({"version": 1, "secrets": {"A": {"from": "env:B"}}})", false}});
  EXPECT_EQ(policy.error().message(),
            "b.json:1:28: the secret 'A' comes from elsewhere at a.json:1\n"
            "{\"version\": 1, \"secrets\": {\"A\": {\"from\": \"env:B\"}}}\n"
            "                           ^");
}

TEST(PolicyError, RefusesLayersThatDisagreeWhereASecretGoes) {
  const std::string plain = R"({"version": 1, "secrets": {"A": {"from": "env:A"}}})";
  const std::string bound =
      R"({"version": 1, "secrets": {"A": {"from": "env:A", "hosts": ["a.example.com"], "as": "bearer"}}})";
  const std::string wider =
      R"({"version": 1, "secrets": {"A": {"from": "env:A", "hosts": ["*.example.com"], "as": "bearer"}}})";
  for (const auto& [machine, session] : {std::pair{plain, bound}, {bound, plain}, {bound, wider}, {wider, bound}}) {
    const auto policy = Policy::parse({{"a.json", machine, true}, {"b.json", session, false}});
    ASSERT_FALSE(policy) << machine << session;
    EXPECT_EQ(policy.error().message().substr(0, 61),
              "b.json:1:28: the secret 'A' is sent elsewhere at a.json:1\n{\"v");
  }
  EXPECT_TRUE(Policy::parse({{"a.json", bound, true}, {"b.json", bound, false}}));
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
                                  << outcome.reason;
    }
    ++files;
  }
  EXPECT_GE(files, 3);
}

}  // namespace
}  // namespace gatehouse::policy
