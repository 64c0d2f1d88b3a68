// Which URIs a rule speaks of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/policy/resource_uri.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

// A URI in which '*' stands for any characters but '/', '?' and '#', in a host also but '@', and for one at least where
// nothing else is between two slashes; and '**' for any characters at all, "/**" before a slash or at the end also for
// none: "file:///srv/docs/**" (also "file:///srv/docs"), "note://internal/*". "**" alone is every URI, and one that
// begins with
// "**/" has any scheme.
class UriGlob {
 public:
  // Refuses what could only match URIs that ResourceUri refuses, wildcards in the scheme, '**' in a host, and '[', ']',
  // '{', '}'.
  static Result<UriGlob> parse(std::string_view text);

  // Whether it is one of these whichever way a server decodes it; letters are told apart.
  bool surely_matches(const ResourceUri& uri) const;
  // Whether some server might take it for one of these. Takes time proportional to the URI times the glob at worst.
  bool may_match(const ResourceUri& uri) const;
  bool matches_all() const { return text_ == "**"; }
  const std::string& text() const { return text_; }

 private:
  struct Token {
    enum class Kind {
      literal,
      one,   // of the characters '*' stands for
      star,  // any number of them
      any,   // any characters
      tail,  // what follows it, an `any` behind a slash, may as well not be there
    };
    Kind kind = Kind::literal;
    char c = 0;
    bool in_host = false;

    bool takes(char text, Case letters) const;
  };
  static std::vector<Token> tokens_of(std::string_view text);
  static bool matches(const std::vector<Token>& tokens, std::string_view text, Case letters);

  std::string text_;
  std::vector<Token> tokens_;
  std::vector<Token> decoded_;  // for readings whose escapes are decoded
};

}  // namespace gatehouse::policy
