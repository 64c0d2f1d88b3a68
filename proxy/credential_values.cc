#include "proxy/credential_values.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/secret_source.h"
#include "common/base/wiping.h"

namespace gatehouse::proxy {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxInputBytes = 8 << 20;  // as gatehouse-dlp, which is handed the same and more

const std::string* text_member(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() || !member->is_string() ? nullptr : member->get_ptr<const std::string*>();
}

bool is_placeholder(std::string_view text) {
  return text.size() >= kMinPlaceholderBytes && text.size() <= kMaxPlaceholderBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
                  c == '.';
         });
}

Result<CredentialValue> read_value(const Json& item) {
  const auto* name = text_member(item, "name");
  const auto* value = text_member(item, "value");
  const auto* placeholder = text_member(item, "placeholder");
  if (name == nullptr || value == nullptr || (placeholder == nullptr && item.contains("placeholder"))) {
    return fail("a secret has \"name\", \"value\" and perhaps \"placeholder\", each a string");
  }
  if (placeholder != nullptr && !is_placeholder(*placeholder)) {
    return fail("the placeholder is not {} to {} letters, digits and \"-_.\"", kMinPlaceholderBytes,
                kMaxPlaceholderBytes);
  }
  if (value->size() < kMinCredentialBytes || value->size() > kMaxCredentialBytes) {
    return fail("the value has {} bytes: {} to {} can be put into a request", value->size(), kMinCredentialBytes,
                kMaxCredentialBytes);
  }
  auto bytes = SecretBytes::copy_of(*value);
  if (!bytes) return failed(bytes);
  return CredentialValue{*name, placeholder != nullptr ? *placeholder : "", std::move(*bytes)};
}

}  // namespace

Result<CredentialValues> CredentialValues::parse(std::string_view json) {
  auto tree = Json::parse(json, nullptr, false);
  const Wiping<Json> wiping{tree};
  const auto list = tree.is_object() ? tree.find("secrets") : tree.end();
  if (tree.is_discarded() || !tree.is_object() || list == tree.end() || !list->is_array()) {
    return fail("is no JSON object with a list of \"secrets\"");
  }
  CredentialValues all;
  for (size_t i = 0; i < list->size(); ++i) {
    const Json& item = (*list)[i];
    auto value = item.is_object() ? read_value(item) : fail("must be an object");
    if (!value) return failed(value, fmt::format("secrets[{}]", i));
    if (all.find(value->name) != nullptr) return fail("secrets[{}]: the name is taken", i);
    all.values_.push_back(std::move(*value));
  }
  return all;
}

Result<CredentialValues> CredentialValues::load(const std::string& source) {
  auto text = read_secret_source(source, kMaxInputBytes);
  if (!text) return failed(text);
  const Wiping<std::string> wiping{*text};
  auto values = parse(*text);
  if (!values) return failed(values, source);
  return values;
}

Result<const CredentialValue*> CredentialValues::for_upstream_proxy(const policy::Policy& policy) const {
  const auto& proxy = policy.upstream_proxy();
  if (!proxy || proxy->credential.empty()) return nullptr;
  const auto* value = find(proxy->credential);
  if (value == nullptr) {
    return tl::unexpected(proxy->error(fmt::format("no value was given for the secret {}", proxy->credential)));
  }
  const auto ok = policy::UpstreamProxy::check_credential(value->bytes.view());
  if (!ok) return tl::unexpected(proxy->error(ok.error().message()));
  return value;
}

const CredentialValue* CredentialValues::find(std::string_view name) const {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& value) { return value.name == name; });
  return found == values_.end() ? nullptr : &*found;
}

}  // namespace gatehouse::proxy
