#include "proxy/telemetry/telemetry.h"

namespace gatehouse::proxy {

Result<std::unique_ptr<Telemetry>> Telemetry::create(PriceTable prices, std::unique_ptr<mcp::CallHash> calls) {
  auto key = ContentHashKey::create();
  if (!key) return failed(key);
  return std::unique_ptr<Telemetry>(new Telemetry(std::move(prices), std::move(*key), std::move(calls)));
}

std::string Telemetry::summary() const {
  const uint64_t calls = counts_.calls;
  const uint64_t requests = counts_.unknown_requests;
  const uint64_t responses = counts_.unknown_responses;
  if (calls + requests + responses == 0) return {};
  return fmt::format("{} model calls read; of unknown shape: {} requests to such paths, {} responses", calls, requests,
                     responses);
}

bool Telemetry::take_decoder() {
  if (++decoders_ <= kMaxBodiesDecoded) return true;
  --decoders_;
  return false;
}

}  // namespace gatehouse::proxy
