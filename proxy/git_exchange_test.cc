// An exchange of git's over smart HTTP, where no git gate is.
#include "proxy/exchange.h"
#include "proxy/test_world.h"
#include "proxy/told_guest.h"

namespace gatehouse::proxy {
namespace {

TEST(GitExchange, IsNoPushThatNobodyLooksThrough) {
  const struct {
    const char* method;
    const char* path;
    const char* type;
    const char* rule;
    Verdict verdict;
  } rows[] = {
      {"POST", "/acme/app.git/git-receive-pack", "application/x-git-receive-pack-request", "git.unavailable",
       Verdict::deny},
      {"GET", "/acme/app.git/info/refs?service=git-receive-pack", "", "git.unavailable", Verdict::deny},
      // Its messages would be judged one by one, and none of them by the gate.
      {"POST", "/acme/app.git/git-receive-pack", "application/grpc", "git.unclear", Verdict::deny},
      {"POST", "/acme/app.git/git-receive-pack/", "application/grpc", "git.unclear", Verdict::deny},
      {"POST", "/acme/other.git/git-receive-pack", "", "default-deny", Verdict::deny},
      {"GET", "/acme/app.git/info/refs?service=git-upload-pack", "", "app", Verdict::allow},
      {"POST", "/acme/app.git/pulls", "", "all", Verdict::allow},
  };
  const Generation generation{*policy::Policy::parse({{"t.json", R"({"version": 1,
      "http": [{"id": "all", "action": "allow", "hosts": ["git.example.com"], "paths": ["/acme/app.git/pulls"]}],
      "git": [{"id": "app", "action": "allow", "remotes": ["https://git.example.com/acme/app.git"],
               "push": {"branches": ["**"]}}]})"}}),
                              {}};
  for (const auto& row : rows) {
    World world;
    world.with_scanner = true;
    world.rules = &generation;
    ToldGuest guest;
    Origin origin;
    origin.tls = true;
    origin.port = 443;
    origin.name = origin.sni = "git.example.com";
    Exchange exchange(world, guest, origin);
    RequestHead head;
    head.method = row.method;
    head.scheme = Scheme::https;
    head.host = "git.example.com";
    head.port = 443;
    head.path = row.path;
    head.http2 = true;
    if (*row.type != '\0') head.fields.push_back({"Content-Type", row.type});
    exchange.start(head);
    if (row.verdict == Verdict::allow) exchange.on_request_complete({});
    world.scanner.last().answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
    world.answer_commit();
    ASSERT_FALSE(world.rows.empty()) << row.path;
    EXPECT_EQ(world.rows[0].decision.rule_id, row.rule) << row.path << " " << row.type;
    EXPECT_EQ(world.rows[0].decision.verdict, row.verdict) << row.path << " " << row.type;
    EXPECT_EQ(static_cast<bool>(world.opened), row.verdict == Verdict::allow) << row.path << " " << row.type;
  }
}

}  // namespace
}  // namespace gatehouse::proxy
