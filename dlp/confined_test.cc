// The scanner in a process that has given up everything but its sockets, as gatehouse-dlp does.
#include <gmock/gmock.h>

#include "common/base/test_confined.h"
#include "dlp/options.h"
#include "dlp/test_scanner.h"

namespace gatehouse::dlp {
namespace {

using test::confined;

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
