// What looking for known secrets costs: per byte of text and of opaque bytes that hold none, per small part, and to
// load them.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <random>

#include "dlp/secret_reader.h"

namespace {

using namespace gatehouse::dlp;

std::string random_text(std::mt19937& random, size_t size, std::string_view alphabet) {
  std::string text(size, '\0');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

KnownSecrets secrets(size_t count, size_t bytes) {
  std::mt19937 random(1);
  std::string json;
  for (size_t i = 0; i < count; ++i) {
    json +=
        fmt::format(R"({}{{"name":"S{}","value":"{}"}})", i == 0 ? "" : ",", i, random_text(random, bytes, kBase64));
  }
  return std::move(KnownSecrets::parse(fmt::format(R"({{"secrets":[{}]}})", json)).value());
}

// Words, as many as a small language has.
std::string prose(size_t size) {
  std::mt19937 random(2);
  std::vector<std::string> words;
  for (size_t i = 0; i < 2000; ++i) words.push_back(random_text(random, 2 + i % 9, "etaoinshrdlucmfwypvbgk"));
  std::string text;
  while (text.size() < size) text += words[random() % words.size()] + (random() % 12 == 0 ? ".\n" : " ");
  return text;
}

void scan(benchmark::State& state, const std::string& text, size_t piece) {
  const KnownSecrets known = secrets(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  FragmentLedger ledger(known);
  SecretReaderSource source(known, ledger, [] { return FragmentLedger::Time(); });
  size_t matches = 0;
  for (auto _ : state) {
    const StreamInfo stream{"https", Direction::out, "api.example.com", "t"};
    const auto readers = source.open(stream);
    const OnMatch on_match = [&](const Match&) { ++matches; };
    for (size_t at = 0; at < text.size(); at += piece) {
      readers[0]->write(std::string_view(text).substr(at, piece), on_match);
    }
    readers[0]->end(on_match);
  }
  if (matches != 0) state.SkipWithError("found what is not there");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}

void Prose(benchmark::State& state) { scan(state, prose(1 << 20), 16 << 10); }
void Base64(benchmark::State& state) {
  std::mt19937 random(3);
  scan(state, random_text(random, 1 << 20, kBase64), 16 << 10);
}
void Opaque(benchmark::State& state) {
  std::mt19937 random(4);
  std::string bytes(1 << 20, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  scan(state, bytes, 16 << 10);
}
void Zeros(benchmark::State& state) { scan(state, std::string(1 << 20, '\0'), 16 << 10); }
void SmallPart(benchmark::State& state) { scan(state, prose(64), 64); }
// Number of secrets, bytes of each.
BENCHMARK(Prose)->Args({1, 40})->Args({10, 40})->Args({256, 40})->Args({64, 4096});
BENCHMARK(Base64)->Args({1, 40})->Args({10, 40})->Args({256, 40})->Args({64, 4096});
BENCHMARK(Opaque)->Args({10, 40})->Args({256, 40})->Args({64, 4096});
BENCHMARK(Zeros)->Args({10, 40});
BENCHMARK(SmallPart)->Args({10, 40});

void Load(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(secrets(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1))));
  }
}
BENCHMARK(Load)->Args({10, 40})->Args({256, 40})->Args({64, 4096})->Unit(benchmark::kMillisecond);

}  // namespace
