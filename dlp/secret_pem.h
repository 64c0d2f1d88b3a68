// The private keys in a value, and which bytes of them are not public.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::dlp {

struct PemKey {
  std::string body;          // its base64, lines joined
  std::vector<bool> counts;  // for each byte of it: no part of the public key nor of what every such key begins with
};

// Every "-----BEGIN ... PRIVATE KEY...-----" block of `text`; certificates beside them are left out.
std::vector<PemKey> private_keys(std::string_view text);

// Base64 or base64url, with or without padding; what remains of the last four characters is dropped. Nothing if there
// is another character in it.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace gatehouse::dlp
