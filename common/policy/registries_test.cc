#include "common/policy/registries.h"

#include <gmock/gmock.h>

#include <map>

namespace gatehouse::policy {
namespace {

using ::testing::ElementsAre;
using Texts = std::map<std::string, std::string>;

HostConfiguration host_with(Texts environment, Texts files) {
  environment.emplace("HOME", "/home/u");
  HostConfiguration host;
  host.environment = [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  host.file = [files](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  host.files_of = [files](const std::string& directory) {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files) {
      if (path.starts_with(directory + "/")) paths.push_back(path);
    }
    return paths;
  };
  return host;
}

std::vector<std::string> origins(std::string_view symbol, const Texts& environment, const Texts& files) {
  const auto found = resolve_registry(symbol, host_with(environment, files));
  if (!found) return {found.error().message()};
  std::vector<std::string> texts;
  for (const auto& origin : *found)
    texts.push_back(fmt::format("{}://{}:{}", origin.https ? "https" : "http", origin.host, origin.port));
  return texts;
}

TEST(Registries, AreTheToolsPublicHostsWhereNothingIsConfigured) {
  EXPECT_THAT(origins("@npm", {}, {}), ElementsAre("https://registry.npmjs.org:443"));
  EXPECT_THAT(origins("@pypi", {}, {}), ElementsAre("https://pypi.org:443", "https://files.pythonhosted.org:443"));
  EXPECT_THAT(origins("@apt", {}, {}), ElementsAre("http://deb.debian.org:80", "https://deb.debian.org:443",
                                                   "http://security.debian.org:80", "https://security.debian.org:443"));
  EXPECT_THAT(origins("@cargo", {}, {}),
              ElementsAre("https://index.crates.io:443", "https://static.crates.io:443", "https://crates.io:443"));
  EXPECT_THAT(origins("@go", {}, {}), ElementsAre("https://proxy.golang.org:443", "https://sum.golang.org:443"));
}

TEST(Registries, FollowNpm) {
  const Texts files{{"/etc/npmrc", "registry=https://global.example.com/\n"},
                    {"/home/u/.npmrc",
                     "; mine\nregistry = http://nexus:8081/npm/\n//nexus:8081/npm/:_authToken=s3cret\n"
                     "@acme:registry=https://npm.acme.example/\n"}};
  EXPECT_THAT(origins("@npm", {}, files), ElementsAre("http://nexus:8081", "https://npm.acme.example:443"));
  EXPECT_THAT(origins("@npm", {{"NPM_CONFIG_REGISTRY", "https://env.example.com"}}, files),
              ElementsAre("https://env.example.com:443", "https://npm.acme.example:443"));
  EXPECT_THAT(origins("@npm", {{"NPM_CONFIG_USERCONFIG", "/none"}}, files),
              ElementsAre("https://global.example.com:443"));
}

TEST(Registries, FollowPip) {
  const Texts files{{"/etc/pip.conf", "[global]\nindex-url = https://a.example.com/simple\n"},
                    {"/home/u/.config/pip/pip.conf",
                     "[global]\nextra-index-url =\n    https://b.example.com/simple\n"
                     "    https://c.example.com/simple\n[other]\nindex-url = https://x.example.com\n"}};
  EXPECT_THAT(origins("@pypi", {}, files),
              ElementsAre("https://a.example.com:443", "https://b.example.com:443", "https://c.example.com:443"));
  EXPECT_THAT(origins("@pypi",
                      {{"PIP_INDEX_URL", "https://user:pass@env.example.com:8443/simple"},
                       {"PIP_EXTRA_INDEX_URL", "https://pypi.org/simple"}},
                      files),
              ElementsAre("https://env.example.com:8443", "https://pypi.org:443"));
}

TEST(Registries, FollowApt) {
  const Texts files{
      {"/etc/apt/sources.list",
       "# deb http://no.example.com x main\ndeb [arch=amd64] http://one.example.com/debian bookworm main\n"
       "deb cdrom:[x]/ bookworm main\n"},
      {"/etc/apt/sources.list.d/a.sources",
       "Types: deb\nURIs: https://two.example.com/debian\n  http://three.example.com/debian\nSuites: bookworm\n\n"
       "Enabled: no\nURIs: https://off.example.com/\n"},
      {"/etc/apt/sources.list.d/ignored.save", "deb http://saved.example.com x main\n"}};
  EXPECT_THAT(origins("@apt", {}, files),
              ElementsAre("http://one.example.com:80", "https://two.example.com:443", "http://three.example.com:80"));
}

TEST(Registries, FollowCargo) {
  const Texts files{{"/home/u/.cargo/config.toml",
                     "[source.crates-io]\nreplace-with = 'corp'\n[source.corp]\n"
                     "registry = \"sparse+https://cargo.example.com/index/\"\n"
                     "[registries.mine]\nindex = \"https://mine.example.com/git\"\n"}};
  EXPECT_THAT(origins("@cargo", {}, files),
              ElementsAre("https://cargo.example.com:443", "https://mine.example.com:443"));
  EXPECT_THAT(origins("@cargo", {{"CARGO_HOME", "/none"}}, files).front(), "https://index.crates.io:443");
}

TEST(Registries, FollowGo) {
  EXPECT_THAT(
      origins("@go", {{"GOPROXY", "https://go.example.com|https://two.example.com,direct"}, {"GOSUMDB", "off"}}, {}),
      ElementsAre("https://go.example.com:443", "https://two.example.com:443"));
  EXPECT_THAT(origins("@go", {},
                      {{"/home/u/.config/go/env",
                        "GOPROXY=https://go.example.com\nGOSUMDB=sum.example.com+abc https://sums.example.com\n"}}),
              ElementsAre("https://go.example.com:443", "https://sums.example.com:443"));
}

TEST(Registries, RefuseAnAddressAndShowNoCredentials) {
  EXPECT_THAT(
      origins("@npm", {{"NPM_CONFIG_REGISTRY", "https://u:s3cret@10.0.0.5/npm"}}, {}),
      ElementsAre(
          "@npm of this host's configuration: registry '10.0.0.5' is an address; give it a name (or give it in the "
          "policy's 'registries')"));
}

}  // namespace
}  // namespace gatehouse::policy
