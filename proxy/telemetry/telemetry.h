// What the readers of model calls share: prices, tools called, counts. One for all workers of a process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/mcp/call_hash.h"
#include "proxy/telemetry/content_hash.h"
#include "proxy/telemetry/price_table.h"
#include "proxy/telemetry/tool_ledger.h"

namespace gatehouse::proxy {

inline constexpr int kMaxBodiesDecoded = 32;  // compressed bodies read at once, some megabytes each at worst

class Telemetry {
 public:
  // `calls` is null when what models ask for is not to be known again by the MCP gateway.
  static Result<std::unique_ptr<Telemetry>> create(PriceTable prices, std::unique_ptr<mcp::CallHash> calls = nullptr);

  const PriceTable& prices() const { return prices_; }
  const ContentHashKey& hash_key() const { return key_; }
  const mcp::CallHash* call_hash() const { return calls_.get(); }  // may be null
  ToolLedger& tools() { return tools_; }

  // For any thread.
  struct Counts {
    std::atomic<uint64_t> calls{0};              // read
    std::atomic<uint64_t> unknown_requests{0};   // to a path of a model's, with another body
    std::atomic<uint64_t> unknown_responses{0};  // to a model call, of no shape that is known
  };
  Counts& counts() { return counts_; }
  // "12 model calls read, 3 requests and 1 response of unknown shape"; empty when there was nothing at all.
  std::string summary() const;

  // Room for one more decoder, until given back.
  bool take_decoder();
  void return_decoder() { --decoders_; }

 private:
  Telemetry(PriceTable prices, ContentHashKey key, std::unique_ptr<mcp::CallHash> calls)
      : prices_(std::move(prices)), key_(std::move(key)), calls_(std::move(calls)) {}

  PriceTable prices_;
  ContentHashKey key_;
  std::unique_ptr<mcp::CallHash> calls_;
  ToolLedger tools_;
  Counts counts_;
  std::atomic<int> decoders_{0};
};

}  // namespace gatehouse::proxy
