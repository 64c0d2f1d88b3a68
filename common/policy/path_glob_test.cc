#include "common/policy/path_glob.h"

#include <gmock/gmock.h>

namespace gatehouse::policy {
namespace {

TEST(PathGlob, MatchesSegmentBySegment) {
  struct Case {
    const char* glob;
    std::vector<const char*> matched;
    std::vector<const char*> missed;
  };
  const Case cases[] = {
      {"/", {"/"}, {"", "//", "/a"}},
      {"/a", {"/a"}, {"/", "/a/", "/ab", "/A", "/b/a"}},
      {"/a/", {"/a/"}, {"/a", "/a/b"}},
      {"/*", {"/a", "/abc"}, {"/", "/a/", "/a/b"}},
      {"/a*c/d", {"/ac/d", "/abbc/d", "/acc/d"}, {"/ab/d", "/a/c/d", "/abc/", "/abcd/d"}},
      {"/*a*b*", {"/ab", "/xaxbx", "/aab"}, {"/ba", "/a/b"}},
      {"/repos/*/*/issues",
       {"/repos/x/y/issues"},
       {"/repos/x/issues", "/repos//y/issues", "/repos/x/y/z/issues", "/repos/x/y/issues/"}},
      {"/**", {"/", "/a", "/a/", "/a/b/c", "//"}, {""}},
      {"/v2/**", {"/v2", "/v2/", "/v2/a/b"}, {"/v2a", "/v", "/v1/v2/a"}},
      {"/**/admin", {"/admin", "/a/admin", "/a/b/admin"}, {"/administrator", "/a/admin/", "/xadmin"}},
      {"/a/**/b/*", {"/a/b/c", "/a/x/b/c", "/a/b/b/c", "/a/x/y/b/b"}, {"/a/b", "/a/c", "/a/xb/c", "/b/c"}},
      {"/**/a/**/b", {"/a/b", "/x/a/y/b", "/a/a/b/b"}, {"/b/a", "/ab"}},
      {"/g/a%2Fb/**", {"/g/a%2Fb/c"}, {"/g/a/b/c", "/g/a%2fb/c"}},
  };
  for (const auto& [text, matched, missed] : cases) {
    const PathGlob glob = PathGlob::parse(text).value();
    for (const auto* path : matched) EXPECT_TRUE(glob.matches(path, policy::Case::told_apart)) << text << " " << path;
    for (const auto* path : missed) EXPECT_FALSE(glob.matches(path, policy::Case::told_apart)) << text << " " << path;
  }
}

TEST(PathGlob, TakesTimeLinearInAHostilePath) {
  const PathGlob glob = PathGlob::parse("/**/a*a*a*a*b/**/a*a*a*b/c").value();
  std::string path;
  for (int i = 0; i < 40; ++i) path += "/" + std::string(200, 'a');
  EXPECT_FALSE(glob.matches(path, policy::Case::told_apart));  // exponential matching would not come back
}

TEST(PathGlob, RefusesWhatCouldNotMatchOrMeansSomethingElse) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "path '' must begin with '/'"},
      {"a", "path 'a' must begin with '/'"},
      {"*", "path '*' must begin with '/'"},
      {"/a?b", "path '/a?b' must not have a query or fragment; rules match the path alone"},
      {"/a#b", "path '/a#b' must not have a query or fragment; rules match the path alone"},
      {"/{a,b}", "path '/{a,b}': '{' is not supported; only * and ** are special"},
      {"/[ab]", "path '/[ab]': '[' is not supported; only * and ** are special"},
      {"/a b", "path '/a b' must be printable ASCII; write * for other characters"},
      {"/a%2", "path '/a%2' has a '%' that is not followed by two hex digits"},
      {"/a**", "path '/a**' has '**' inside a segment; it stands alone between slashes, as in /a/**/b"},
      {"/***", "path '/***' has '**' inside a segment; it stands alone between slashes, as in /a/**/b"},
      {"//a", "path '//a' has an empty segment ('//'), which is never matched"},
      {"/a//b", "path '/a//b' has an empty segment ('//'), which is never matched"},
      {"/a/../b", "path '/a/../b' has a dot segment, and requests with those are always denied"},
      {"/.", "path '/.' has a dot segment, and requests with those are always denied"},
  };
  for (const auto& [text, message] : cases) {
    const auto glob = PathGlob::parse(text);
    ASSERT_FALSE(glob) << text;
    EXPECT_EQ(glob.error().message(), message);
  }
}

}  // namespace
}  // namespace gatehouse::policy
