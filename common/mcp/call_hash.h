// By what a call of a tool is known again: first a model asks for it, which the proxy reads, then the agent makes it,
// which the MCP gateway judges. Arguments may hold secrets, so that only a keyed hash of them is ever written down.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/json/strict.h"

namespace gatehouse::mcp {

inline constexpr size_t kCallHashKeyBytes = 32;

// For any thread.
class CallHash {
 public:
  // Reads the session's key, kCallHashKeyBytes, from where read_secret_source() does. Two gates that are to know each
  // other's calls have the same.
  static Result<std::unique_ptr<CallHash>> load(const std::string& source);
  static Result<std::unique_ptr<CallHash>> with_key(std::string_view key);

  // HMAC-SHA-256 over the last word of the tool's name and the arguments in canonical form (RFC 8785), cut to 16 hex
  // digits; empty when OpenSSL fails. Whatever a client puts before a tool's name, the last word stays.
  std::string of(std::string_view tool, const json::Value& arguments) const;

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MAC_CTX, Free>;
  explicit CallHash(Context keyed) : keyed_(std::move(keyed)) {}

  Context keyed_;
};

// Whether `called`, the name by which a model calls a tool, is `shown`, by which the gateway shows it, behind what its
// client puts before the names of all our tools: "mcp__gatehouse__files__read_file" is "files__read_file". What is
// neither letter nor digit counts as '_', as clients write it.
bool is_name_of(std::string_view called, std::string_view shown);

}  // namespace gatehouse::mcp
