#include "common/mcp/call_hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "common/base/secret_source.h"
#include "common/json/canonical.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kHashBytes = 8;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

std::string_view last_word(std::string_view name) {
  size_t end = name.size();
  while (end > 0 && !is_word(name[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && is_word(name[begin - 1])) --begin;
  return name.substr(begin, end - begin);
}

}  // namespace

Result<std::unique_ptr<CallHash>> CallHash::load(const std::string& source) {
  auto key = read_secret_source(source, kCallHashKeyBytes + 1);
  if (!key) return failed(key);
  auto hash = with_key(*key);
  OPENSSL_cleanse(key->data(), key->size());
  return hash;
}

Result<std::unique_ptr<CallHash>> CallHash::with_key(std::string_view key) {
  if (key.size() != kCallHashKeyBytes) return fail("the key for calls of tools must have {} bytes", kCallHashKeyBytes);
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free);
  Context context(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
  std::string digest = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                   OSSL_PARAM_construct_end()};
  if (!context ||
      EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters) != 1) {
    return fail("OpenSSL has no HMAC-SHA-256");
  }
  return std::unique_ptr<CallHash>(new CallHash(std::move(context)));
}

std::string CallHash::of(std::string_view tool, const json::Value& arguments) const {
  const Context context(EVP_MAC_CTX_dup(keyed_.get()));
  // A word has no NUL, so that the two cannot run together.
  std::string text(last_word(tool));
  text += '\0';
  text += json::write_canonical(arguments);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  size_t size = 0;
  if (!context ||
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1 ||
      EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1) {
    return {};
  }
  std::string hex;
  for (size_t i = 0; i < kHashBytes; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

bool is_name_of(std::string_view called, std::string_view shown) {
  if (shown.empty() || called.size() < shown.size()) return false;
  const size_t before = called.size() - shown.size();
  if (before > 0 && is_word(called[before - 1])) return false;
  return std::equal(shown.begin(), shown.end(), called.begin() + static_cast<std::ptrdiff_t>(before),
                    [](char a, char b) { return a == b || (!is_word(a) && !is_word(b)); });
}

}  // namespace gatehouse::mcp
