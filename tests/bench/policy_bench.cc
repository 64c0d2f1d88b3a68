// What one verdict costs: policies of some hundred rules, as many hosts, and the costly kinds of request.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "common/policy/policy.h"

namespace {

using namespace gatehouse::policy;

// `rules` rules, each for a host of its own and a suffix, a tenth of them for one busy host with different paths.
Policy policy_with(int rules) {
  std::string text = R"({"version": 1, "http": [)";
  for (int i = 0; i < rules; ++i) {
    const bool busy = i % 10 == 0;
    text += fmt::format(
        R"({}{{"id": "r{}", "action": "allow", "hosts": ["{}", "**.s{}.example.org"], "methods": ["GET"], "paths": ["/p{}/*/x", "/q{}/**"]}})",
        i == 0 ? "" : ",", i, busy ? "busy.example.com" : fmt::format("h{}.example.com", i), i, i, i);
  }
  auto policy = Policy::parse({{"bench.json", text + "]}", false}});
  if (!policy) throw std::runtime_error(policy.error().message());
  return std::move(*policy);
}

void judge(benchmark::State& state, std::string_view host, std::string_view path, bool allowed) {
  const Policy policy = policy_with(static_cast<int>(state.range(0)));
  const HttpRequest request{"https", host, 443, "GET", path};
  if (policy.judge(request).allowed() != allowed) return state.SkipWithError("not the expected verdict");
  for (auto _ : state) benchmark::DoNotOptimize(policy.judge(request));
}

void AllowExactHost(benchmark::State& state) { judge(state, "h33.example.com", "/p33/abc/x?q=1", true); }
void AllowDeepSuffix(benchmark::State& state) { judge(state, "a.b.c.s33.example.org", "/q33/a/b/c", true); }
void AllowBusyHost(benchmark::State& state) { judge(state, "busy.example.com", "/q290/a/b/c", true); }
void AllowEscapedPath(benchmark::State& state) { judge(state, "h33.example.com", "/q33/%20a//b", true); }
void DenyUnknownHost(benchmark::State& state) { judge(state, "www.unknown.example.net", "/", false); }
BENCHMARK(AllowExactHost)->Arg(300);
BENCHMARK(AllowDeepSuffix)->Arg(300);
BENCHMARK(AllowBusyHost)->Arg(300);
BENCHMARK(AllowEscapedPath)->Arg(300);
BENCHMARK(DenyUnknownHost)->Arg(300);

void DnsQuestions(benchmark::State& state, std::string_view name) {
  const Policy policy = policy_with(300);
  for (auto _ : state) benchmark::DoNotOptimize(policy.judge(DnsQuestion{name, "A"}));
}
BENCHMARK_CAPTURE(DnsQuestions, allowed, "h33.example.com");
BENCHMARK_CAPTURE(DnsQuestions, denied, "www.unknown.example.net");

void LoadPolicy(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(policy_with(static_cast<int>(state.range(0))));
}
BENCHMARK(LoadPolicy)->Arg(300)->Unit(benchmark::kMillisecond);

}  // namespace
