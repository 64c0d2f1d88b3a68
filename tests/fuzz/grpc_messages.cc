// The first byte says how the rest is cut, and whether messages may be compressed; what follows is the body of a gRPC
// request. However it is cut, the same messages come of it, or the same refusal; and written anew they are the body.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "proxy/grpc_messages.h"

using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Read {
  std::string anew;  // all whole messages, and what has come of the last one
  size_t whole = 0;  // bytes of it that are whole messages
  bool refused = false;
  bool between = false;
};

Read read(std::string_view wire, size_t piece, bool packed) {
  GrpcMessageReader reader(packed ? "gzip" : "");
  Read all;
  size_t at = 0, given = 0;
  for (;;) {
    const auto event = reader.next(wire.substr(at, given - at));
    if (!event) {
      all.refused = true;
      return all;
    }
    require(event->consumed <= given - at);
    at += event->consumed;
    if (event->kind == GrpcMessageReader::Event::Kind::begin) {
      all.anew += GrpcMessageReader::prefix(reader.compressed(), reader.length());
    }
    all.anew += event->bytes;
    if (event->kind == GrpcMessageReader::Event::Kind::message) all.whole = all.anew.size();
    if (event->kind != GrpcMessageReader::Event::Kind::need_more) continue;
    require(at == given);
    if (given == wire.size()) break;
    given = std::min(wire.size(), given + piece);
  }
  all.between = reader.between();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool packed = data[0] & 1;
  const auto whole = read(wire, wire.size() + 1, packed);
  const auto cut = read(wire, 1 + (data[0] >> 1), packed);
  require(whole.anew == cut.anew && whole.whole == cut.whole && whole.refused == cut.refused);
  require(whole.between == cut.between);
  require(wire.starts_with(whole.anew));
  require(!whole.between || whole.refused || whole.anew.size() == wire.size());
  return 0;
}
