#include "mcp-gateway/model_link.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/audit/log.h"
#include "common/base/uuid.h"

namespace gatehouse::mcp {
namespace {

const std::string kKey(kCallHashKeyBytes, 'k');

class ModelLinkTest : public testing::Test {
 protected:
  ModelLinkTest() : folder_(std::filesystem::temp_directory_path() / ("gatehouse-link-" + make_uuid())) {
    std::filesystem::create_directory(folder_);
    std::ofstream(folder_ / "key") << kKey;
    ::chmod((folder_ / "key").c_str(), 0600);
    log_ = audit::AuditLog::open({audit(), "s", "proxy"}).value();
  }
  ~ModelLinkTest() override { std::filesystem::remove_all(folder_); }

  std::string audit() const { return folder_ / "audit.db"; }
  std::unique_ptr<ModelLink> link() { return ModelLink::open(folder_ / "key", audit()).value(); }
  // A model asks for this, in a trace of that name.
  void ask(const std::string& trace, const std::string& tool, const std::string& arguments) {
    audit::ToolCall row;
    row.trace_id = trace;
    row.name = tool;
    row.kind = "function";
    row.call_hash = CallHash::with_key(kKey).value()->of(tool, json::read(arguments).value());
    ASSERT_TRUE(log_->append_and_wait(row));
  }

  const std::filesystem::path folder_;
  std::unique_ptr<audit::AuditLog> log_;
};

TEST_F(ModelLinkTest, GivesACallTheTraceOfTheModelThatAskedForIt) {
  ask("t1", "mcp__gatehouse__files__read_file", R"({"path": "/x", "head": 5.0})");
  ask("t2", "mcp__gatehouse__files__read_file", R"({"path": "/y"})");
  ask("t3", "mcp__other__profiles__read_file", R"({"path": "/z"})");
  const auto opened = link();
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"files__read_file", R"({"head":5,"path":"/x"})", "t1"},
      {"files__read_file", R"({"path":"/y"})", "t2"},
      {"files__read_file", R"({"path":"/z"})", ""},  // another server's tool
      {"files__read_file", R"({"path":"/xx"})", ""},
      {"files__write_file", R"({"path":"/y"})", ""},
      {"files__read_file", "{}", ""},
  };
  for (const auto& [shown, arguments, trace] : cases) {
    const auto found = ModelLink::of(opened.get(), shown, json::read(arguments).value());
    EXPECT_EQ(found.call_hash.size(), 16u);
    EXPECT_EQ(found.asked_by.empty(), trace.empty()) << shown << arguments;
    EXPECT_EQ(trace.empty() ? "" : found.trace_id, trace) << shown << arguments;
    EXPECT_EQ(found.trace_id.size() == make_uuid().size(), trace.empty()) << "its own";
  }
}

TEST_F(ModelLinkTest, IsNoneWithoutAKeyAndNeverFailsACall) {
  EXPECT_EQ(ModelLink::open("", audit()).value(), nullptr);
  const auto none = ModelLink::of(nullptr, "t", json::Value::object());
  EXPECT_EQ(none.call_hash + none.asked_by, "");
  EXPECT_FALSE(none.trace_id.empty());
  std::ofstream(folder_ / "key") << "short";
  EXPECT_THAT(ModelLink::open(folder_ / "key", audit()).error().message(), testing::HasSubstr("must have 32 bytes"));
  EXPECT_FALSE(ModelLink::open(folder_ / "none", audit()));
  std::ofstream(folder_ / "key") << kKey;
  EXPECT_FALSE(ModelLink::open(folder_ / "key", folder_ / "none.db"));
}

}  // namespace
}  // namespace gatehouse::mcp
