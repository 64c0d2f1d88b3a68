// The scanner in a process that has given up everything but its sockets, as gatehouse-dlp does.
#include <gmock/gmock.h>

#include "common/base/test_confined.h"
#include "dlp/options.h"
#include "dlp/scanner.h"

namespace gatehouse::dlp {
namespace {

using test::confined;

constexpr char kKnown[] = "a1b2c3d4e5f6g7h8i9j0";
const std::string kToken = "ghp_" + std::string(36, 'A');

// What it takes to scan, made before the process is confined.
struct Loaded {
  Loaded() {
    Fd secrets(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    (void)write_all(secrets.get(), fmt::format(R"({{"secrets":[{{"name":"KNOWN","value":"{}"}}]}})", kKnown));
    scanner = std::move(*Scanner::load({"", path_, ""}, policy));
    scans = std::move(*scanner->open_scans(1));
  }
  ~Loaded() { ::unlink(path_.c_str()); }

  // The rules of what is found in this body.
  std::string scan(const std::string& body, const std::string& encoding = {}) const {
    const StreamInfo stream{"https", Direction::out, "api.example.com", "trace"};
    const auto scan = scans.front()(stream);
    scan->part({"body", "", encoding});
    scan->write(body);
    scan->finish();
    std::string rules;
    for (const Finding& finding : scan->take_findings()) rules += finding.rule + " " + finding.path + ";";
    return rules;
  }

  policy::Policy policy = std::move(*policy::Policy::parse(
      {{"policy.json", R"({"version":1,"http":[{"id":"all","action":"allow","hosts":["*.example.com"]}]})", false}}));
  std::unique_ptr<Scanner> scanner;
  std::vector<OpenScan> scans;

 private:
  const std::string path_ = fmt::format("{}/secrets.{}", ::testing::TempDir(), ::getpid());
};

TEST(ConfinedScanner, FindsWhatItFoundBefore) {
  const Loaded loaded;
  const std::string long_text(300'000, 'x');
  for (const std::string& body :
       {"one " + kToken, std::string("two ") + kKnown, "Z2hwX0FB" + long_text, long_text + kToken,
        std::string("Z2hwX0FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB")}) {
    const std::string before = loaded.scan(body);
    EXPECT_EQ(confined(confinement({}), [&] { return loaded.scan(body); }), before);
  }
  EXPECT_EQ(loaded.scan(kToken), "github-pat ;");
  EXPECT_THAT(loaded.scan(kKnown), testing::StartsWith("known-secret ;"));
  EXPECT_EQ(loaded.scan(""), "");
}

TEST(ConfinedScanner, OpensNoFile) {
  SKIP_WHEN_SANITIZED();
  if (!test::landlock_is_here()) GTEST_SKIP() << "this kernel has no Landlock";
  const Loaded loaded;
  for (const char* path : {"/etc/passwd", "/proc/self/mem", "/dev/null", "/"}) {
    EXPECT_EQ(confined(confinement({}), [&] { return test::try_open(path, O_RDONLY); }), "EACCES") << path;
  }
  EXPECT_EQ(confined(confinement({}), [] { return test::try_open("/tmp/new", O_WRONLY | O_CREAT); }), "EACCES");
}

TEST(ConfinedScanner, ReachesNobody) {
  SKIP_WHEN_SANITIZED();
  const Loaded loaded;
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_VSOCK}) {
    EXPECT_EQ(confined(confinement({}), [&] { return test::try_connect(family); }), "socket: EPERM") << family;
  }
  const Fd inherited(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(confined(confinement({}),
                     [&] {
                       const sockaddr nobody{};
                       return test::outcome(::connect(inherited.get(), &nobody, sizeof nobody) == 0);
                     }),
            "EPERM");
  EXPECT_EQ(confined(confinement({}), [] { return test::outcome(::execl("/bin/true", "true", nullptr) == 0); }),
            "killed by SYS");
}

}  // namespace
}  // namespace gatehouse::dlp
