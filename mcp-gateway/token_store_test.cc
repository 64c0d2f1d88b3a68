// What is kept of logins across sessions.
#include "mcp-gateway/token_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gatehouse::mcp {
namespace {

using testing::HasSubstr;
using testing::Not;

class TokenStoreTest : public testing::Test {
 protected:
  TokenStoreTest() {
    char name[] = "/tmp/gatehouse-tokens-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/tokens";
  }
  ~TokenStoreTest() override { std::filesystem::remove_all(directory_); }

  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& content, mode_t mode = 0600) const {
    std::ofstream(path_) << content;
    ::chmod(path_.c_str(), mode);
  }
  static KeptAuthorization kept(const std::string& server, const std::string& refresh) {
    return {.server = server,
            .issuer = "https://auth.example",
            .client_id = "c",
            .redirect = "http://127.0.0.1:1/callback",
            .authentication = ClientAuthentication::post,
            .client_secret = "made-up-secret",
            .secret_expires_at = 5,
            .access_token = "made-up-access",
            .expires_at = 7,
            .refresh_token = refresh,
            .scopes = "a b"};
  }

  std::string directory_, path_;
};

TEST_F(TokenStoreTest, KeepsTheLatestOfEachServerAndNothingOfTheOneBefore) {
  auto store = TokenStore::open(path_);
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_FALSE(*store->find("https://a.example/"));
  ASSERT_TRUE(store->put(kept("https://a.example/", "first-made-up")));
  ASSERT_TRUE(store->put(kept("https://b.example/", "other-made-up")));
  ASSERT_TRUE(store->put(kept("https://a.example/", "second-made-up")));
  EXPECT_THAT(text(), Not(HasSubstr("first-made-up")));
  auto again = TokenStore::open(path_);
  ASSERT_TRUE(again) << again.error().message();
  for (auto* one : {&*store, &*again}) {
    const auto found = *one->find("https://a.example/");
    ASSERT_TRUE(found);
    EXPECT_EQ(to_line(*found), to_line(kept("https://a.example/", "second-made-up")));
    EXPECT_EQ((*one->find("https://b.example/"))->refresh_token, "other-made-up");
  }
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(TokenStoreTest, TakesNoLineThatAKilledWriterLeft) {
  const std::string whole = to_line(kept("https://a.example/", "r")) + "\n";
  write(whole + whole.substr(0, 40));
  auto store = TokenStore::open(path_);
  ASSERT_TRUE(store) << store.error().message();
  ASSERT_TRUE(store->put(kept("https://b.example/", "s")));
  EXPECT_EQ((*TokenStore::open(path_)->find("https://b.example/"))->refresh_token, "s");
}

TEST_F(TokenStoreTest, RefusesFilesThatAreNotItsOwn) {
  for (const std::string bad : {"hello\n", "{}\n", "[]\n", "{\"server\": \"x\"}\n", "\xff\n"}) {
    write(bad);
    EXPECT_THAT(TokenStore::open(path_).error().message(), HasSubstr("log in again")) << bad;
  }
  write("", 0644);
  EXPECT_THAT(TokenStore::open(path_).error().message(), HasSubstr("others may read or write it"));
  write(std::string(kMaxTokenFileBytes + 1, ' '));
  EXPECT_THAT(TokenStore::open(path_).error().message(), HasSubstr("larger than"));
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/etc/hostname", path_);
  EXPECT_FALSE(TokenStore::open(path_));
}

TEST_F(TokenStoreTest, DropsBlanksOnceThereAreMany) {
  write(std::string(kRoomyTokenFileBytes, ' ') + "\n" + to_line(kept("https://a.example/", "r")) + "\n");
  auto store = TokenStore::open(path_);
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ((*store->find("https://a.example/"))->refresh_token, "r");
  EXPECT_LT(text().size(), 2000u);
}

}  // namespace
}  // namespace gatehouse::mcp
