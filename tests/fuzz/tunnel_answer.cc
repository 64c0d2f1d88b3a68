// What a corporate proxy answers to CONNECT: the same whether it comes at once or in two pieces, and within its limit.
#include <cstdlib>

#include "proxy/proxy_tunnel.h"

using namespace gatehouse::proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_tunnel_answer(bytes);
  if (!whole || !*whole) return 0;
  if ((*whole)->bytes > size || (*whole)->bytes > kMaxTunnelAnswerBytes || (*whole)->status > 999) std::abort();
  for (const char c : (*whole)->reason) {
    if (static_cast<unsigned char>(c) < 0x20) std::abort();
  }
  const size_t cut = (*whole)->bytes * data[0] / 256;
  const auto part = read_tunnel_answer(bytes.substr(0, cut));
  if (!part || *part) std::abort();
  return 0;
}
