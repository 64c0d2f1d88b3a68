// Secrets in ordinary memory, overwritten before they are given back. Long-lived ones are in SecretBytes.
#pragma once

#include <openssl/crypto.h>

#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse {

inline void wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

// Every string in it; not the keys.
inline void wipe(nlohmann::json& tree) {
  if (tree.is_string()) return wipe(tree.get_ref<std::string&>());
  if (!tree.is_structured()) return;
  for (auto& item : tree) wipe(item);
}

// Wipes what it refers to when it goes.
template <class T>
struct Wiping {
  T& secret;
  ~Wiping() { wipe(secret); }
};

}  // namespace gatehouse
