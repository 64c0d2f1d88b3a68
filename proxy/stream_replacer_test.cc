#include "proxy/stream_replacer.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

std::string replaced_at_once(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

TEST(StreamReplacer, ReplacesTheSameWhereverTheStreamIsCut) {
  const struct {
    std::string text, what;
  } cases[] = {
      {"", "secret"},
      {"secret", "secret"},
      {"a secret and a secretsecret, secre", "secret"},
      {"sesesecret ssecret secresecret", "secret"},
      {"aaaaaaab aaab ab", "aaab"},
      {"abababac ababac", "ababac"},
      {"xxxxx", "xx"},
      {"no such thing", "secret"},
      {std::string(300, 's') + "secret" + std::string(300, 'e'), "secret"},
  };
  for (const auto& [text, what] : cases) {
    const auto expected = replaced_at_once(text, what, "<>");
    for (size_t piece = 1; piece <= text.size() + 1; ++piece) {
      StreamReplacer replacer(what, "<>");
      std::string out;
      for (size_t at = 0; at < text.size(); at += piece) replacer.feed(std::string_view(text).substr(at, piece), out);
      replacer.finish(out);
      ASSERT_EQ(out, expected) << text << " in pieces of " << piece;
    }
  }
}

TEST(StreamReplacer, KeepsOnlyWhatMayBeTheBeginning) {
  StreamReplacer replacer("secret", "<>");
  const std::pair<std::string, std::string> steps[] = {{"data: 1\n\n", "data: 1\n\n"},
                                                       {"sec", ""},
                                                       {"ond", "second"},
                                                       {"x se", "x "},
                                                       {"cret y", "<> y"},
                                                       {"secre", ""}};
  for (const auto& [in, passed] : steps) {
    std::string out;
    replacer.feed(in, out);
    EXPECT_EQ(out, passed) << in;
  }
  std::string out;
  replacer.finish(out);
  EXPECT_EQ(out, "secre");
  EXPECT_EQ(replacer.replaced(), 1U);
}

}  // namespace
}  // namespace gatehouse::proxy
