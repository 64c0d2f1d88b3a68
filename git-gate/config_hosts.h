// Where a file in git's configuration format sends those who read it: .gitmodules and .lfsconfig, whatever they are
// called. Judged by content, because a blob can get its name in a later push.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::git_gate {

struct ConfiguredUrl {
  std::string section;  // "submodule", "lfs", "remote"
  std::string url;
};

// The URLs of all submodule, lfs and remote sections, if the text as a whole is in that format; else nothing.
std::vector<ConfiguredUrl> configured_urls(std::string_view text);

// The host that a git URL leads to: of "https://user@host:port/x", "ssh://", "git@host:x". Empty for one that stays at
// the remote's own ("../other"). Nothing that is understood as a host, such as a local path, is "?".
std::string url_host(std::string_view url);

}  // namespace gatehouse::git_gate
