// The whole scan of one stream, all rules and all decoders, on one core: a chat request with source text and pictures
// in it, source text as it is, random bytes, and a small request. Then each decoder alone on the same bytes.
//   build/release/bench/dlp_decode
// What bounds the chat request is its text: it is read as it stands and, once more, with its escapes undone, for a match
// may span any of them. Of all the time a quarter goes to the rules, a sixth to base64 and its like (the pictures at four
// alignments, and each long word of the text), an eighth to the marks of where decoded bytes came from, a ninth each to
// escapes and to telling text from noise; no function of ours has more than a thirtieth.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "dlp/decode/alphabets.h"
#include "dlp/decode/codes.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/listed_strings.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/quoted_printable.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/text_decoders.h"
#include "dlp/decode/unicode.h"
#include "dlp/decode/wide_text.h"
#include "dlp/inspection.h"
#include "dlp/rule_reader.h"

namespace {

namespace fs = std::filesystem;
using namespace gatehouse::dlp;

constexpr size_t kBodyBytes = 8 << 20;
constexpr size_t kPictureBytes = 300'000;
constexpr size_t kWriteBytes = 64 << 10;  // as the scanner's socket gives them

// The sources of the checkout, over and over.
std::string source_text(size_t size) {
  static const std::string sources = [] {
    std::vector<fs::path> files;
    const fs::path checkout = fs::path(rules_directory().value()).parent_path().parent_path();
    for (const char* folder : {"common", "proxy", "launcher", "dns", "guest"}) {
      for (const auto& entry : fs::recursive_directory_iterator(checkout / folder)) {
        const auto kind = entry.path().extension();
        if (kind == ".cc" || kind == ".h" || kind == ".py") files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    std::ostringstream text;
    for (const auto& file : files) text << std::ifstream(file).rdbuf();
    return text.str();
  }();
  std::string text;
  while (text.size() < size) text += sources;
  text.resize(size);
  return text;
}

std::string random_bytes(size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string bytes(size + 8, '\0');
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  bytes.resize(size);
  return bytes;
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i + 3 <= bytes.size(); i += 3) {
    const auto byte = [&](size_t j) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + j])); };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (const int shift : {18, 12, 6, 0}) text += kLetters[bits >> shift & 63];
  }
  return text;
}

// As agents send it: files they have read, and pictures, half of the bytes each.
std::string chat_request() {
  nlohmann::json messages = nlohmann::json::array();
  const std::string text = source_text(kBodyBytes / 2);
  const size_t turns = kBodyBytes / 2 / (kPictureBytes * 4 / 3);
  for (size_t i = 0; i < turns; ++i) {
    const std::string picture = base64(random_bytes(kPictureBytes, static_cast<unsigned>(i)));
    messages.push_back({{"role", "user"},
                        {"content",
                         {{{"type", "text"}, {"text", text.substr(text.size() / turns * i, text.size() / turns)}},
                          {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64," + picture}}}}}}});
  }
  return nlohmann::json{{"model", "some-model"}, {"messages", messages}, {"stream", true}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

const std::string& body(const std::string& what) {
  static std::map<std::string, std::string> bodies;
  std::string& text = bodies[what];
  if (text.empty()) {
    text = what == "chat" ? chat_request() : what == "text" ? source_text(kBodyBytes) : random_bytes(kBodyBytes);
  }
  return text;
}

struct Scanner {
  std::unique_ptr<ReaderSource> readers = [] {
    const auto rules = load_rules(rules_directory().value());
    return RuleReaderSource::create(RuleTables::build(rules.value(), "").value()).value();
  }();
  Inspector inspector{.readers = *readers, .fingerprint = [](std::string_view) { return std::string(16, '0'); }};

  static Scanner& instance() {
    static Scanner scanner;
    return scanner;
  }
};

void scan(benchmark::State& state, const std::string& what) {
  Scanner& scanner = Scanner::instance();
  const std::string& bytes = body(what);
  size_t findings = 0;
  for (auto _ : state) {
    Inspection inspection(scanner.inspector, {"https", Direction::out, "api.example.com", "t"}, {});
    inspection.part({"body", "application/json", {}});
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes) {
      inspection.write(std::string_view(bytes).substr(at, kWriteBytes));
    }
    inspection.finish();
    findings = inspection.take_findings().size();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes.size()) * state.iterations());
  state.SetLabel(fmt::format("{} findings", findings));
}
void small_request(benchmark::State& state) {
  Scanner& scanner = Scanner::instance();
  const std::string bytes = R"({"model": "m", "messages": [{"role": "user", "content": ")" +
                            nlohmann::json(source_text(1300)).dump().substr(1) + "}]}";
  for (auto _ : state) {
    Inspection inspection(scanner.inspector, {"https", Direction::out, "api.example.com", "t"}, {});
    const auto part = [&](const char* location, std::string_view value) {
      inspection.part({location, {}, {}});
      inspection.write(value);
    };
    part("path", "/v1/chat/completions");
    part("query:session", "3f1c9a7e-5b1d-4c58-9a54-0d6f7a0f2b11");
    part("header:user-agent", "agent/1.2.3 (linux; x86_64) runtime/20.1");
    part("header:accept", "application/json, text/event-stream");
    part("header:content-type", "application/json");
    part("header:x-request-id", "9b2f6d3c-1111-4f7e-8a53-b1b7f1e3c0de");
    part("cookie:theme", "dark");
    part("body", bytes);
    inspection.finish();
    benchmark::DoNotOptimize(inspection.take_findings());
  }
}
struct NullHost final : DecoderHost, DecoderOutput {
  DecoderOutput* output(std::string_view) override { return this; }
  void fault(std::string_view, std::string_view) override {}
  void begin(const Piece&) override { runs += 1; }
  bool write(std::string_view decoded) override {
    bytes += decoded.size();
    return true;
  }
  void separate(uint64_t) override { runs += 1; }
  void from(uint64_t, bool) override {}
  void end() override {}
  size_t bytes = 0;
  size_t runs = 0;
};

template <class D>
void decoder(benchmark::State& state, const std::string& what) {
  const std::string& bytes = body(what);
  NullHost host;
  for (auto _ : state) {
    host = {};
    D one(host);
    constexpr size_t kDeliveredBytes = 16 << 10;
    for (size_t at = 0; at < bytes.size(); at += kDeliveredBytes) {
      one.write(std::string_view(bytes).substr(at, kDeliveredBytes));
    }
    one.end();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes.size()) * state.iterations());
  state.SetLabel(fmt::format("{:.1f} % decoded, in {} runs",
                             100.0 * static_cast<double>(host.bytes) / static_cast<double>(bytes.size()), host.runs));
}
constexpr const char* kBodies[] = {"chat", "text", "random"};

// What it costs to tell text from noise.
struct NoDecoder {
  explicit NoDecoder(DecoderHost&) {}
  void write(std::string_view bytes) { decoders.write(bytes); }
  void end() { decoders.end(); }
  TextDecoders decoders{{}};
};

template <class D>
void register_decoder(const char* name) {
  for (const char* what : kBodies) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}", name, what).c_str(), decoder<D>, what)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* what : kBodies) {
    benchmark::RegisterBenchmark(fmt::format("scan/{}", what).c_str(), scan, what)->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("scan/small request", small_request)->Unit(benchmark::kMicrosecond);
  register_decoder<ContainerSniffer>("containers");
  register_decoder<AlphabetDecoder>("alphabets");
  register_decoder<PercentDecoder>("percent");
  register_decoder<BackslashDecoder>("backslash");
  register_decoder<EntityDecoder>("entities");
  register_decoder<QuotedPrintable>("quoted-printable");
  register_decoder<WideTextDecoder>("wide text");
  register_decoder<UnicodeDecoder>("unicode");
  register_decoder<JoinedStringsDecoder>("joined strings");
  register_decoder<ListedStringsDecoder>("listed strings");
  register_decoder<SeparatedDecoder>("separated");
  register_decoder<CodesDecoder>("codes");
  register_decoder<NoDecoder>("search for text");
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
