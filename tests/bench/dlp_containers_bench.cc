// What finding containers costs where there are none, and what undoing them yields: bytes a second, of input and of
// output.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>

#include "common/codec/brotli.h"
#include "common/codec/inflate.h"
#include "common/codec/test_encoders.h"
#include "common/codec/zstd.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/quoted_printable.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

constexpr size_t kInputBytes = 16 << 20;
constexpr size_t kWriteBytes = 16 * 1024;  // as layers do

struct NullHost : DecoderHost, DecoderOutput {
  DecoderOutput* output(std::string_view) override { return this; }
  void fault(std::string_view, std::string_view) override { ++faults; }
  void begin(const Piece&) override { ++pieces; }
  bool write(std::string_view bytes) override {
    written += bytes.size();
    return true;
  }
  void end() override {}
  size_t pieces = 0, written = 0, faults = 0;
};

std::string random_bytes() {
  std::mt19937_64 random(1);
  std::string bytes(kInputBytes, '\0');
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}
std::string base64_text() {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes = random_bytes();
  for (char& byte : bytes) byte = kAlphabet[byte & 63];
  return bytes;
}
std::string source_text() {
  std::string bytes;
  while (bytes.size() < kInputBytes) {
    bytes +=
        "    <a class=\"item\" href=\"/list?page=12&sort=name\">if (x == y) { z = f(x, 10); }</a>\r\n" + lines(200);
  }
  return bytes;
}

template <class D>
void find(benchmark::State& state, const std::string& bytes) {
  NullHost host;
  D decoder(host);
  for (auto _ : state) {
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes)
      decoder.write(std::string_view(bytes).substr(at, kWriteBytes));
    decoder.end();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes.size()));
  state.counters["pieces"] = static_cast<double>(host.pieces) / static_cast<double>(state.iterations());
}
void Sniffer_Random(benchmark::State& state) { find<ContainerSniffer>(state, random_bytes()); }
void Sniffer_Base64(benchmark::State& state) { find<ContainerSniffer>(state, base64_text()); }
void Sniffer_Text(benchmark::State& state) { find<ContainerSniffer>(state, source_text()); }
void QuotedPrintable_Random(benchmark::State& state) { find<QuotedPrintable>(state, random_bytes()); }
void QuotedPrintable_Base64(benchmark::State& state) { find<QuotedPrintable>(state, base64_text()); }
void QuotedPrintable_Text(benchmark::State& state) { find<QuotedPrintable>(state, source_text()); }
BENCHMARK(Sniffer_Random);
BENCHMARK(Sniffer_Base64);
BENCHMARK(Sniffer_Text);
BENCHMARK(QuotedPrintable_Random);
BENCHMARK(QuotedPrintable_Base64);
BENCHMARK(QuotedPrintable_Text);

// One write at a time of a small request.
void Sniffer_SmallPiece(benchmark::State& state) {
  const std::string bytes = source_text().substr(0, static_cast<size_t>(state.range(0)));
  NullHost host;
  ContainerSniffer decoder(host);
  for (auto _ : state) {
    decoder.write(bytes);
    decoder.end();
  }
}
BENCHMARK(Sniffer_SmallPiece)->Arg(32)->Arg(2048);

struct NullSink : ByteSink {
  bool write(std::string_view bytes) override {
    written += bytes.size();
    return true;
  }
  size_t written = 0;
};
template <class Make>
void undo(benchmark::State& state, const std::string& bytes, Make make) {
  NullSink sink;
  for (auto _ : state) {
    auto codec = make();
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes)
      codec->decode(std::string_view(bytes).substr(at, kWriteBytes), sink);
  }
  state.SetBytesProcessed(static_cast<int64_t>(sink.written));
}
void Undo_Gzip(benchmark::State& state) {
  undo(state, gzipped(source_text()), [] { return std::make_unique<Inflate>(Inflate::Format::gzip); });
}
void Undo_Brotli(benchmark::State& state) {
  undo(state, brotlied(source_text()), [] { return std::make_unique<Brotli>(); });
}
void Undo_Zstd(benchmark::State& state) {
  undo(state, zstded(source_text()), [] { return std::make_unique<Zstd>(kFileZstdWindowLog); });
}
BENCHMARK(Undo_Gzip);
BENCHMARK(Undo_Brotli);
BENCHMARK(Undo_Zstd);

}  // namespace
