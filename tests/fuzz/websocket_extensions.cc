// The value of a Sec-WebSocket-Extensions field, as an offer and as an answer.
#include <cstdlib>

#include "proxy/websocket/handshake.h"

using namespace gatehouse::proxy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto answer = answer_extensions(text);
  // What is answered is what a client that offered it takes.
  if (answer.agreement.deflate && !take_extensions(answer.answer, true)) std::abort();
  if (answer.agreement.deflate == answer.answer.empty()) std::abort();
  const auto taken = take_extensions(text, false);
  if (taken && taken->deflate) std::abort();
  (void)take_extensions(text, true);
  (void)is_websocket_key(text);
  return 0;
}
