#include "launcher/git_configuration.h"

#include <fmt/core.h>

namespace gatehouse::launcher {

namespace {
constexpr std::string_view kHttps = "https://";
}  // namespace

std::optional<ipc::BootFile> git_configuration(const std::vector<std::string>& hosts) {
  if (hosts.empty()) return std::nullopt;
  std::string text = "# Made by Gatehouse: ssh has no way out of here, https has.\n";
  for (const auto& url : hosts) {
    const std::string authority = url.substr(kHttps.size());
    const std::string host = authority.substr(0, authority.find(':'));
    text += fmt::format("[url \"{}/\"]\n", url);
    for (const auto& form : {fmt::format("git@{}:", host), fmt::format("ssh://git@{}/", host),
                             fmt::format("ssh://{}/", host), fmt::format("git://{}/", host)}) {
      text += fmt::format("\tinsteadOf = {}\n", form);
    }
  }
  return ipc::BootFile{"/etc/gitconfig", std::move(text)};
}

}  // namespace gatehouse::launcher
