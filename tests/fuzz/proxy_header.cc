// The first byte is the piece size, the rest begins a connection. However it is cut, the same header or the same
// refusal comes out; no more than the bound is taken; and the header survives being written and read again.
#include "proxy/proxy_header.h"

#include <cstdlib>

using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  ProxyHeader header;
  size_t taken = 0;
  bool complete = false;
  std::string_view refusal;
};

Reading read(std::string_view bytes, size_t piece) {
  ProxyHeaderReader reader;
  Reading reading;
  for (size_t at = 0; at < bytes.size() && !reader.complete(); at += piece) {
    const auto taken = reader.feed(bytes.substr(at, piece));
    if (!taken) {
      reading.refusal = taken.error().id;
      reading.taken = 0;
      return reading;
    }
    reading.taken += *taken;
  }
  reading.complete = reader.complete();
  reading.header = reader.header();
  return reading;
}

bool same(const ProxyHeader& a, const ProxyHeader& b) {
  return a.source == b.source && a.destination == b.destination && a.source_port == b.source_port &&
         a.destination_port == b.destination_port;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading whole = read(bytes, bytes.size());
  const Reading pieces = read(bytes, 1 + data[0]);
  require(whole.refusal == pieces.refusal && whole.taken == pieces.taken && whole.complete == pieces.complete);
  require(same(whole.header, pieces.header));
  require(whole.taken <= kProxyHeaderFixedBytes + kMaxProxyHeaderBytes);
  if (!whole.complete) return 0;
  require(whole.header.destination_port != 0);
  // IPv4-mapped addresses are folded, which can leave the two of different families.
  if (whole.header.source.is_v4() != whole.header.destination.is_v4()) return 0;
  const std::string written = serialize_proxy_header(whole.header);
  const Reading again = read(written, written.size());
  require(again.complete && again.taken == written.size() && same(again.header, whole.header));
  return 0;
}
