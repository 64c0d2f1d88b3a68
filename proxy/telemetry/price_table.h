// What models cost, by a table of the providers' published prices (policies/prices/models.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::proxy {

// What a call used; the same of every provider. What was not told is absent.
struct TokenCounts {
  std::optional<int64_t> input = {};             // all of it, with what was read from and written to a cache
  std::optional<int64_t> output = {};            // all of it, with reasoning
  std::optional<int64_t> cached = {};            // of the input: read from a cache
  std::optional<int64_t> cache_write = {};       // of the input: written to a cache, for a short and a long time
  std::optional<int64_t> long_cache_write = {};  // of that: for a long time (an hour)
  std::optional<int64_t> reasoning = {};         // of the output
  bool fine_print = false;  // other prices apply to some of it: audio, a service tier that is not the standard one
  bool operator==(const TokenCounts&) const = default;
};

class PriceTable {
 public:
  // JSON: {"version": 1, "date": "2026-01-31", "source": "...", "models": [{"provider": "openai", "names": ["m"],
  // "input": 2.5, "output": 10, "cached": 0.25, "cache_write": 3, "long_cache_write": 5,
  // "above": {"input_tokens": 200000, "input": 5, ...}}]}, prices in US dollars for a million tokens. `above` is for
  // calls whose input is longer. Refused: unknown keys, a negative price, a name that is there twice.
  static Result<PriceTable> parse(std::string_view text);

  // In millionths of a dollar, rounded. Nothing for a model that is not in the table by exactly this name, or when
  // something was used for which there is no count or no price.
  std::optional<int64_t> cost(std::string_view provider, const std::string& model, const TokenCounts& tokens) const;

  const std::string& date() const { return date_; }
  size_t size() const { return by_name_.size(); }

 private:
  // Millionths of a millionth of a dollar for a token.
  struct Prices {
    std::optional<int64_t> input, output, cached, cache_write, long_cache_write;
  };
  struct Model {
    Prices prices;
    std::optional<int64_t> above;  // input tokens
    Prices prices_above;
  };
  struct Reading;

  std::string date_;
  std::vector<Model> models_;
  std::unordered_map<std::string, size_t> by_name_;  // "provider/name"
};

}  // namespace gatehouse::proxy
