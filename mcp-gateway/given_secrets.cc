#include "mcp-gateway/given_secrets.h"

#include <nlohmann/json.hpp>

#include "common/base/secret_source.h"
#include "common/base/wiping.h"

namespace gatehouse::mcp {

namespace {
constexpr size_t kMaxSecretsBytes = 1 << 20;
}

Result<std::map<std::string, SecretBytes>> read_given_secrets(const std::string& source) {
  std::map<std::string, SecretBytes> secrets;
  if (source.empty()) return secrets;
  auto text = read_secret_source(source, kMaxSecretsBytes);
  if (!text) return failed(text);
  const Wiping<std::string> wiping{*text};
  auto tree = nlohmann::json::parse(*text, nullptr, false);
  const Wiping<nlohmann::json> wiping_tree{tree};
  if (!tree.is_object()) return fail("{} is no JSON object", source);
  for (auto& [name, value] : tree.items()) {
    if (!value.is_string()) return fail("{} is no JSON object of texts", source);
    auto kept = SecretBytes::copy_of(value.get_ref<const std::string&>());
    if (!kept) return failed(kept);
    secrets.emplace(name, std::move(*kept));
  }
  return secrets;
}

}  // namespace gatehouse::mcp
