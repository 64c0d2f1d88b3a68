#include "proxy/telemetry/price_table.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

constexpr std::string_view kTable = R"({"version": 1, "date": "2026-01-31", "source": "a test", "models": [
  {"provider": "openai", "names": ["m", "m-dated"], "input": 2.5, "output": 10, "cached": 0.25},
  {"provider": "anthropic", "names": ["c"], "input": 3, "output": 15, "cached": 0.3, "cache_write": 3.75,
   "long_cache_write": 6, "above": {"input_tokens": 1000, "input": 6, "output": 22.5, "cached": 0.6}}]})";

struct Case {
  const char* name;
  const char* provider;
  const char* model;
  TokenCounts tokens;
  std::optional<int64_t> cost;
};

const Case kCases[] = {
    {"input and output", "openai", "m", {.input = 1000, .output = 100}, 3500},
    {"by its other name", "openai", "m-dated", {.input = 1000, .output = 100}, 3500},
    {"what was cached costs less", "openai", "m", {.input = 1000, .output = 0, .cached = 1000}, 250},
    {"reasoning is output", "openai", "m", {.input = 0, .output = 100, .reasoning = 90}, 1000},
    {"rounded", "openai", "m", {.input = 1, .output = 0}, 3},
    {"writing to the cache", "anthropic", "c", {.input = 300, .output = 0, .cache_write = 200}, 300 + 750},
    {"for an hour",
     "anthropic",
     "c",
     {.input = 300, .output = 0, .cache_write = 200, .long_cache_write = 200},
     300 + 1200},
    {"a long input", "anthropic", "c", {.input = 1001, .output = 10}, 6231},
    {"a long input whose cache has no price", "anthropic", "c", {.input = 1001, .output = 0, .cache_write = 1}, {}},
    {"a model that is not there", "openai", "m2", {.input = 1, .output = 1}, {}},
    {"a longer name", "openai", "m-dated-2", {.input = 1, .output = 1}, {}},
    {"another provider's", "google", "m", {.input = 1, .output = 1}, {}},
    {"no count of the output", "openai", "m", {.input = 1}, {}},
    {"no count of the input", "openai", "m", {.output = 1}, {}},
    {"no price for it", "openai", "m", {.input = 10, .output = 1, .cache_write = 5}, {}},
    {"more cached than there was", "openai", "m", {.input = 10, .output = 1, .cached = 11}, {}},
    {"other prices apply", "openai", "m", {.input = 10, .output = 1, .fine_print = true}, {}},
    {"absurdly many", "openai", "m", {.input = 2'000'000'000, .output = 1}, {}},
};

TEST(PriceTable, PricesWhatItKnowsAndNothingElse) {
  const auto table = PriceTable::parse(kTable);
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->date(), "2026-01-31");
  for (const auto& one : kCases) EXPECT_EQ(table->cost(one.provider, one.model, one.tokens), one.cost) << one.name;
}

TEST(PriceTable, RefusesWhatItCannotRead) {
  const struct {
    const char* text;
    const char* words;
  } kBad[] = {
      {"{", "no JSON"},
      {"[]", "object"},
      {R"({"version": 2, "date": "d", "models": []})", "version"},
      {R"({"version": 1, "models": []})", "date"},
      {R"({"version": 1, "date": "d"})", "models"},
      {R"({"version": 1, "date": "d", "models": [], "x": 1})", "unknown key \"x\""},
      {R"({"version": 1, "date": "d", "models": [{"provider": "p", "names": ["m"], "input": 1}]})", "models[0]"},
      {R"({"version": 1, "date": "d", "models": [{"provider": "p", "names": ["m"], "input": -1, "output": 1}]})",
       "no price"},
      {R"({"version": 1, "date": "d", "models": [{"provider": "p", "names": ["m", "m"], "input": 1, "output": 1}]})",
       "twice"},
      {R"({"version": 1, "date": "d", "models": [{"provider": "p", "names": [], "input": 1, "output": 1}]})", "names"},
      {R"({"version": 1, "date": "d", "models": [{"provider": "p", "names": ["m"], "input": 1, "output": 1, "above": {}}]})",
       "above"},
  };
  for (const auto& bad : kBad) {
    const auto table = PriceTable::parse(bad.text);
    ASSERT_FALSE(table) << bad.text;
    EXPECT_THAT(table.error().message(), HasSubstr(bad.words)) << bad.text;
  }
}

TEST(PriceTable, TheShippedOneIsReadAndPricesAllThreeProviders) {
  std::ifstream file(GATEHOUSE_PRICES);
  std::stringstream text;
  text << file.rdbuf();
  const auto table = PriceTable::parse(text.str());
  ASSERT_TRUE(table) << table.error().message();
  const TokenCounts million{.input = 100'000, .output = 100'000};
  EXPECT_EQ(table->cost("anthropic", "claude-sonnet-4-5-20250929", million), 1'800'000);
  EXPECT_EQ(table->cost("openai", "gpt-4.1-mini-2025-04-14", million), 200'000);
  EXPECT_EQ(table->cost("google", "gemini-2.5-flash", million), 280'000);
}

}  // namespace
}  // namespace gatehouse::proxy
