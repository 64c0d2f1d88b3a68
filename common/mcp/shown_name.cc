#include "common/mcp/shown_name.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace gatehouse::mcp {

namespace {

constexpr size_t kHashDigits = 8;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const bool done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  assert(done);
  (void)done;
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string shown_name(std::string_view server, std::string_view tool) {
  std::string name = fmt::format("{}{}{}", server, kBetweenNames, tool);
  const bool fits = name.size() <= kMaxShownNameBytes && std::all_of(name.begin(), name.end(), is_name_byte);
  if (fits) return name;
  // A name that fits may look like this one of another tool; the digits are of the name itself, and catalogues refuse
  // what still meets.
  const std::string digits = sha256_hex(name).substr(0, kHashDigits);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_name_byte(c); }, '_');
  name.resize(std::min(name.size(), kMaxShownNameBytes - kHashDigits - 1));
  return name + "_" + digits;
}

}  // namespace gatehouse::mcp
