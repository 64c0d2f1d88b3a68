#include "proxy/telemetry/price_table.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace gatehouse::proxy {

namespace {

using nlohmann::json;

constexpr double kPriceUnits = 1e6;            // a price is in dollars for a million tokens
constexpr double kMaxPrice = 1e6;              // of a million tokens, in dollars
constexpr int64_t kMaxTokens = 1'000'000'000;  // of one kind in one call; what says more is not priced

Result<void> read_price(const json& from, std::string_view key, std::optional<int64_t>& price) {
  const auto found = from.find(key);
  if (found == from.end()) return {};
  if (!found->is_number()) return fail("\"{}\" is a number: dollars for a million tokens", key);
  const double dollars = found->get<double>();
  if (!(dollars >= 0 && dollars <= kMaxPrice)) return fail("\"{}\" is no price: {}", key, found->dump());
  price = std::llround(dollars * kPriceUnits);
  return {};
}

Result<void> check_keys(const json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return fail("an object is wanted here");
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) return fail("unknown key \"{}\"", item.key());
  }
  return {};
}

}  // namespace

struct PriceTable::Reading {
  static Result<void> prices(const json& from, Prices& into) {
    if (auto ok = read_price(from, "input", into.input); !ok) return ok;
    if (auto ok = read_price(from, "output", into.output); !ok) return ok;
    if (auto ok = read_price(from, "cached", into.cached); !ok) return ok;
    if (auto ok = read_price(from, "cache_write", into.cache_write); !ok) return ok;
    return read_price(from, "long_cache_write", into.long_cache_write);
  }

  static Result<Model> model(const json& from) {
    Model model;
    if (auto ok = check_keys(
            from, {"provider", "names", "input", "output", "cached", "cache_write", "long_cache_write", "above"});
        !ok) {
      return failed(ok);
    }
    if (auto ok = prices(from, model.prices); !ok) return failed(ok);
    if (!model.prices.input || !model.prices.output) return fail("\"input\" and \"output\" are needed");
    const auto above = from.find("above");
    if (above == from.end()) return model;
    if (auto ok = check_keys(*above, {"input_tokens", "input", "output", "cached", "cache_write", "long_cache_write"});
        !ok) {
      return failed(ok, "above");
    }
    const auto from_tokens = above->find("input_tokens");
    if (from_tokens == above->end() || !from_tokens->is_number_unsigned())
      return fail("\"above\" needs \"input_tokens\"");
    model.above = from_tokens->get<int64_t>();
    if (auto ok = prices(*above, model.prices_above); !ok) return failed(ok, "above");
    return model;
  }

  static Result<void> names(const json& from, PriceTable& table) {
    const auto provider = from.find("provider");
    const auto names = from.find("names");
    if (provider == from.end() || !provider->is_string()) return fail("\"provider\" is needed");
    if (names == from.end() || !names->is_array() || names->empty()) return fail("\"names\" is a list of names");
    for (const auto& name : *names) {
      if (!name.is_string()) return fail("\"names\" is a list of names");
      const auto key = provider->get<std::string>() + "/" + name.get<std::string>();
      if (!table.by_name_.emplace(key, table.models_.size()).second) return fail("\"{}\" is there twice", key);
    }
    return {};
  }

  static Result<PriceTable> table(const json& from) {
    PriceTable table;
    if (auto ok = check_keys(from, {"version", "date", "source", "models"}); !ok) return failed(ok);
    if (from.value("version", json()) != 1) return fail("\"version\" is 1");
    const auto date = from.find("date");
    if (date == from.end() || !date->is_string()) return fail("\"date\" is needed");
    table.date_ = date->get<std::string>();
    const auto models = from.find("models");
    if (models == from.end() || !models->is_array()) return fail("\"models\" is a list");
    for (size_t i = 0; i < models->size(); ++i) {
      const auto where = fmt::format("models[{}]", i);
      auto one = model((*models)[i]);
      if (!one) return failed(one, where);
      if (auto ok = names((*models)[i], table); !ok) return failed(ok, where);
      table.models_.push_back(std::move(*one));
    }
    return table;
  }
};

Result<PriceTable> PriceTable::parse(std::string_view text) {
  const auto document = json::parse(text, nullptr, false, true);
  if (document.is_discarded()) return fail("it is no JSON");
  return Reading::table(document);
}

std::optional<int64_t> PriceTable::cost(std::string_view provider, const std::string& model,
                                        const TokenCounts& tokens) const {
  const auto found = by_name_.find(std::string(provider) + "/" + model);
  if (found == by_name_.end() || !tokens.input || !tokens.output || tokens.fine_print) return std::nullopt;
  const Model& priced = models_[found->second];
  const Prices& prices = priced.above && *tokens.input > *priced.above ? priced.prices_above : priced.prices;
  const int64_t cached = tokens.cached.value_or(0);
  const int64_t written = tokens.cache_write.value_or(0);
  const int64_t long_written = tokens.long_cache_write.value_or(0);
  const struct {
    int64_t count;
    const std::optional<int64_t>& price;
  } uses[] = {{*tokens.input - cached - written, prices.input},
              {cached, prices.cached},
              {written - long_written, prices.cache_write},
              {long_written, prices.long_cache_write},
              {*tokens.output, prices.output}};
  double total = 0;
  for (const auto& use : uses) {
    if (use.count < 0 || use.count > kMaxTokens || (use.count > 0 && !use.price)) return std::nullopt;
    if (use.count > 0) total += static_cast<double>(use.count) * static_cast<double>(*use.price);
  }
  return std::llround(total / kPriceUnits);
}

}  // namespace gatehouse::proxy
