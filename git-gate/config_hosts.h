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

struct Configuration {
  std::vector<ConfiguredUrl> urls;  // of all submodule, lfs and remote sections, as far as the text is in that format
  bool whole = false;               // it is to its end
};
Configuration read_configuration(std::string_view text);

// The host that a git URL leads to: of "https://user@host:port/x", "ssh://", "git@host:x". Empty for one that stays at
// the remote's own ("../other"), whose path has `depth` components. Nothing that is understood as a host, such as a
// local path or one that goes up past the host, is "?".
std::string url_host(std::string_view url, size_t depth);

}  // namespace gatehouse::git_gate
