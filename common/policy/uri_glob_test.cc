// URIs of resources come from the guest: what a glob matches must be what the server will open.
#include "common/policy/uri_glob.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

using testing::HasSubstr;

TEST(ResourceUri, RefusesWhatServersMayTakeForTwoResources) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "has no scheme"},
      {"/srv/docs/x", "has no scheme"},
      {"srv/docs:x", "has no scheme"},
      {"1file:///x", "has no scheme"},
      {"://x", "has no scheme"},
      {"file:///srv/docs/../x", "has a dot segment"},
      {"file:///srv/docs/./x", "has a dot segment"},
      {"file:///srv/docs/..", "has a dot segment"},
      {"file:///srv/docs/..;a/x", "has a dot segment"},
      {"file:///srv/docs/%2e%2e/x", "has a dot segment"},
      {"file:///srv/docs/%2E./x", "has a dot segment"},
      {"file:///srv/docs/.%2e?x", "has a dot segment"},
      {"file:///srv/docs/%252e%252e/x", "has a dot segment"},
      {"file:../x", "has a dot segment"},
      {"file://../x", "has a dot segment"},
      {"db://x?file=../y", "has a dot segment"},
      {"db://x?a=1&../y", "has a dot segment"},
      {"db://x#/../y", "has a dot segment"},
      {"file:///srv/docs%2f..%2fx", "has an encoded slash"},
      {"file:///srv%2Fdocs", "has an encoded slash"},
      {"file:///srv%252fdocs", "has an encoded slash"},
      {"file:///srv\\docs", "has a backslash"},
      {"file:///srv%5cdocs", "has a backslash"},
      {"file:///srv/a b", "has a space"},
      {"file:///srv/\tx", "has a control character"},
      {"file:///srv/x\n", "has a control character"},
      {std::string("file:///srv/x\0", 14), "has a control character"},
      {"file:///srv/%00x", "has a control character"},
      {"file:///srv/%0ax", "has a control character"},
      {"file:///srv/\x7f", "has a control character"},
      {"file:///srv/\xc3\xbc", "has a byte that must be escaped"},
      {"file:///srv/%", "has a '%' that is not followed by two hex digits"},
      {"file:///srv/%2", "has a '%' that is not followed by two hex digits"},
      {"file:///srv/%zz", "has a '%' that is not followed by two hex digits"},
      {"file:///srv/%25zz", "has a '%' that is not followed by two hex digits"},
      {"file:///srv/%c0%afx", "has escapes that are not UTF-8"},
      {"file:///srv/%25252561", "is escaped more than 3 times over"},
      {"file:///" + std::string(2041, 'x'), "is longer than 2048 bytes"},
      {"https:example.com/x", "names no host"},
      {"https:/example.com/x", "names no host"},
      {"https:///example.com/x", "names no host"},
      {"https://user@/x", "names no host"},
      {"https://e%78ample.com/x", "has an escape in its host"},
      {"file://%6cocalhost/x", "has an escape in its host"},
  };
  for (const auto& [text, why] : cases) {
    const auto uri = ResourceUri::parse(text);
    ASSERT_FALSE(uri) << text;
    EXPECT_THAT(uri.error().message(), HasSubstr(why)) << text;
  }
}

TEST(ResourceUri, TakesWhatServersHave) {
  for (const std::string text :
       {"file:///srv/docs/a.txt", "file:///srv/.hidden/..x/x..", "file:///srv/a%20b/%c3%bc", "note://internal/1..2",
        "postgres://user@db:5432/t/schema", "urn:isbn:0451450523", "test:", "memo://my%20notes/x?q=a&b=.",
        "https://a.example/", "git+ssh://host/x", "https://[::1]:80/x", "screen://localhost/display1#top"}) {
    const auto uri = ResourceUri::parse(text);
    EXPECT_TRUE(uri) << text << " " << uri.error().message();
  }
  EXPECT_TRUE(ResourceUri::parse("file:///" + std::string(kMaxUriBytes - 8, 'x')));
}

struct Match {
  std::string glob, uri;
  bool surely, maybe;
};

TEST(UriGlob, MatchesWhatAServerWillOpen) {
  const Match cases[] = {
      {"**", "file:///x", true, true},
      {"file:///srv/*", "file:///srv/x", true, true},
      {"file:///srv/*", "file:///srv/", false, false},
      {"file:///srv/*", "file:///srv/x/y", false, false},
      {"file:///srv/*", "file:///srv/x?y", false, true},
      {"file:///srv/*", "file:///srv/x#y", false, true},
      {"file:///srv/**", "file:///srv/x/y?z#/a", true, true},
      {"file:///srv/**", "file:///srv", true, true},
      {"file:///srv/**", "file:///srvx", false, false},
      {"file:///srv/**/y", "file:///srv/y", true, true},
      {"file:///srv/**/y", "file:///srv/a/b/y", true, true},
      {"file:///srv/**/y", "file:///srv/ay", false, false},
      {"file:///srv/*.txt", "file:///srv/.txt", true, true},
      {"file:///srv/*/x", "file:///srv//x", false, false},
      {"file:///srv/a*b*c", "file:///srv/a-b-b-c", true, true},
      {"file:///srv/a*b*c", "file:///srv/a-b/b-c", false, false},
      {"file:///srv/**a*c", "file:///srv/x/a/abbc", true, true},
      {"**/secret", "a://b/c/secret", true, true},
      {"**/secret", "a:b/secrets", false, false},
      {"urn:x:**", "urn:x:a/b", true, true},
      {"note://*", "note://a", true, true},
      {"note://*", "note://a/b", false, false},
      // Letters, escapes, and what else names the same.
      {"file:///srv/secret", "file:///SRV/Secret", false, true},
      {"file:///srv/secret", "FILE:///srv/secret", false, true},
      {"file:///srv/secret", "file:///srv/%73ecret", false, true},
      {"file:///srv/secret", "file:///srv/%2573ecret", false, true},
      {"file:///srv/secret", "file:///srv//secret", false, true},
      {"file:///srv/secret", "file:///srv/secret;v=1", false, true},
      {"file:///srv/secret", "file://localhost/srv/secret", false, true},
      {"file:///srv/secret", "file:/srv/secret", false, true},
      {"file:///srv/secret", "file:srv/secret", false, true},
      {"file:///srv/secret", "file:////srv/secret", false, true},
      {"file:///srv/*", "file:///srv/a%3fb", false, true},
      {"file:///my%20docs/*", "file:///my%20docs/x", true, true},
      {"file:///my%20docs/*", "file:///my%20docs/%41", true, true},
      {"https://a.example/**", "https://a.example/x?y", true, true},
      {"https://a.example/**", "https://a.example:443/x", false, true},
      {"https://a.example/**", "https://u:p@a.example/x", false, true},
      {"https://a.example/**", "https://a.example./x", false, true},
      {"https://a.example/**", "HTTPS://A.EXAMPLE/x", false, true},
      {"https://*.a.example/**", "https://b.a.example/x", true, true},
      {"https://*.a.example/**", "https://evil.example?.a.example/x", false, false},
      {"https://*.a.example/**", "https://evil.example#.a.example/x", false, false},
      {"https://*.a.example/**", "https://evil.example/.a.example/x", false, false},
      {"https://a.example:*/**", "https://a.example:x@evil.example/y", false, false},
      {"npm://*/x", "npm://@scope/x", false, true},
      {"npm:///*/x", "npm:///@scope/x", true, true},
  };
  for (const auto& [text, uri_text, surely, maybe] : cases) {
    const auto glob = UriGlob::parse(text);
    ASSERT_TRUE(glob) << text << " " << glob.error().message();
    const auto uri = ResourceUri::parse(uri_text);
    ASSERT_TRUE(uri) << uri_text << " " << uri.error().message();
    EXPECT_EQ(glob->surely_matches(*uri), surely) << text << " " << uri_text;
    EXPECT_EQ(glob->may_match(*uri), maybe) << text << " " << uri_text;
  }
}

TEST(UriGlob, RefusesWhatCouldNeverMatchOrMatchesMoreThanItSays) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "URI '' has no scheme, such as file: or https:, and such are always denied"},
      {"*", "URI '*' must name its scheme"},
      {"**x:y", "must name its scheme"},
      {"**/../x", "has a dot segment"},
      {"*://x", "must name its scheme"},
      {"/srv/**", "must name its scheme"},
      {"/srv/x", "has no scheme"},
      {"file:///a/***", "has more than two * in a row"},
      {"https://**.example/x", "has ** in its host"},
      {"file://**", "has ** in its host"},
      {"file:///a/../b", "has a dot segment, and such are always denied"},
      {"file:///a%2fb", "has an encoded slash, and such are always denied"},
      {"file:///a b", "has a space"},
      {"file:///a%", "has a '%' that is not followed"},
      {"file:///a%25", "has an escape of '%' or '*'"},
      {"file:///a%2A", "has an escape of '%' or '*'"},
      {"file:///{x}", "'{' is not supported; only * and ** are special"},
      {"https:///x", "names no host"},
      {"file:///" + std::string(2048, 'x'), "is longer than 2048 bytes"},
  };
  for (const auto& [text, why] : cases) {
    const auto glob = UriGlob::parse(text);
    ASSERT_FALSE(glob) << text;
    EXPECT_THAT(glob.error().message(), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace gatehouse::policy
