// ClientHellos, read passively: whatever is a whole one is the same one however it comes, and its name is a host's.
#include <algorithm>
#include <cstdlib>

#include "proxy/client_hello.h"

using gatehouse::proxy::read_client_hello;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_client_hello(bytes);
  if (!whole || !*whole) return 0;
  const auto& name = (*whole)->server_name;
  const auto is_name_byte = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  if (name.size() > 253 || !std::all_of(name.begin(), name.end(), is_name_byte)) std::abort();
  const size_t cut = size == 0 ? 0 : (data[size / 2] * size) / 256;
  const auto part = read_client_hello(bytes.substr(0, cut));
  if (!part) std::abort();
  if (*part && ((*part)->server_name != name || (*part)->encrypted != (*whole)->encrypted)) std::abort();
  return 0;
}
