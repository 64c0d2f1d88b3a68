// policies/schema.json and the reader know the same words.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/base/fd.h"
#include "common/policy/layer.h"

namespace gatehouse::policy {
namespace {

std::set<std::string> keys_of(const nlohmann::json& properties) {
  std::set<std::string> keys;
  for (const auto& [key, value] : properties.items()) keys.insert(key);
  return keys;
}

TEST(PolicySchema, KnowsTheKeysThatTheReaderKnows) {
  const auto text = read_file(policies_directory().value() + "/schema.json", kMaxPolicyBytes);
  ASSERT_TRUE(text) << text.error().message();
  const auto schema = nlohmann::json::parse(*text);
  for (const auto& [kind, keys] : object_keys()) {
    const auto& object = kind == "policy" ? schema : schema["$defs"][std::string(kind)];
    EXPECT_EQ(keys_of(object["properties"]), std::set<std::string>(keys.begin(), keys.end())) << kind;
    EXPECT_EQ(object["additionalProperties"], false) << kind;
  }
  const auto categories = finding_categories();
  EXPECT_EQ(schema["$defs"]["category"]["enum"].get<std::set<std::string>>(),
            std::set<std::string>(categories.begin(), categories.end()));
  const auto& symbols = registry_symbols();
  EXPECT_EQ(keys_of(schema["properties"]["registries"]["properties"]),
            std::set<std::string>(symbols.begin(), symbols.end()));
}

}  // namespace
}  // namespace gatehouse::policy
