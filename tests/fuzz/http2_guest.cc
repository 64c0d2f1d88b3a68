// The first byte says how the rest is cut; what follows is what a guest sends in HTTP/2, its preface and settings
// excepted. However it is cut, the same requests are judged alike (of a connection that has come to its end in between,
// some of them), in whatever order their streams end; every commit is granted, every upstream answers; nothing is
// opened that has no row, and nothing is left when the connection is gone.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <tuple>

#include "proxy/http2_frames.h"
#include "proxy/test_world.h"

using namespace gatehouse;
using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Setup {
  CertificateAuthority authority = *CertificateAuthority::create("fuzz");
  tls::KeyPtr key = *tls::create_p256_key();
  LeafCache leaves{authority, *key};
  TicketKeys tickets = *TicketKeys::create();
  std::unique_ptr<TlsServerContext> tls = *TlsServerContext::create(leaves, authority, tickets);
  Generation generation{*policy::Policy::parse({{"fuzz.json", std::string(kPolicy)}}), {}};
};

std::vector<std::string> judged(const Setup& setup, std::string_view bytes, size_t piece, bool scanned) {
  std::deque<Wire> wires;  // of all upstreams ever
  World world;
  world.rules = &setup.generation;
  world.dns = false;
  world.with_scanner = scanned;
  {
    GuestSession session(GuestSession::Entry::transparent, world, world, *setup.tls);
    session.start();
    session.on_bytes(serialize_proxy_header({*IpAddress::parse("10.0.0.1"), 1, *IpAddress::parse("198.18.0.7"), 80}));
    session.on_bytes(std::string(kClientPreface) + frame(NGHTTP2_SETTINGS, 0, 0) +
                     frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0));
    for (size_t at = 0; at < bytes.size(); at += piece) session.on_bytes(bytes.substr(at, piece));
    const size_t rows = world.rows.size();
    for (int turn = 0; turn < 8; ++turn) {
      for (size_t i = 0; i < world.scanner.streams.size(); ++i) {  // an answer may ask more
        auto& stream = world.scanner.streams[i];
        if (stream->question) stream->answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
      }
      for (auto& one : std::exchange(world.committed, {})) one({});
      if (world.opened) {
        require(!world.rows.empty());
        world.answer_open(wires.emplace_back());
      }
      for (auto& wire : wires) {
        if (wire.open && wire.listener != nullptr) wire.listener->on_upstream_bytes(kResponse);
      }
      session.on_drained();
    }
    require(world.rows.size() >= rows);
    session.on_deadline();
    session.on_end();
  }
  const auto open = std::count_if(wires.begin(), wires.end(), [](const Wire& wire) { return wire.open; });
  require(open <= (world.kept ? 1 : 0));
  std::vector<std::string> rows;
  for (const auto& row : world.rows) {
    const bool request = !row.method.empty() || row.decision.rule_id == "http2.malformed";
    if (request) rows.push_back(row.method + " " + row.path + " " + row.decision.rule_id);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Setup setup;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool scanned = data[0] & 1;
  const size_t piece = 1 + (data[0] >> 1);
  const auto whole = judged(setup, bytes, bytes.size(), scanned);
  const auto cut = judged(setup, bytes, piece, scanned);
  const auto& [more, fewer] = whole.size() < cut.size() ? std::tie(cut, whole) : std::tie(whole, cut);
  require(std::includes(more.begin(), more.end(), fewer.begin(), fewer.end()));
  return 0;
}
