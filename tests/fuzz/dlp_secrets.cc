// The first byte is the size of a piece; up to a NUL follow known secrets as JSON, then a layer's bytes. Reading the
// secrets ends in secrets or in words that do not hold them; the same is found in the bytes however they are cut; and
// every form of a secret that stands in them is found.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <tuple>

#include "dlp/exfiltration.h"
#include "dlp/secret_reader.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

using Seen = std::tuple<uint64_t, uint64_t, std::string, int, std::string>;

std::vector<Seen> read(const KnownSecrets& known, std::string_view bytes, size_t piece, const StreamInfo& stream) {
  FragmentLedger ledger(known);
  SecretReaderSource source(known, ledger, [] { return FragmentLedger::Time(std::chrono::hours(1)); });
  std::vector<Seen> seen;
  const OnMatch on_match = [&](const Match& match) {
    require(match.begin < match.end && match.end <= bytes.size());
    seen.emplace_back(match.begin, match.end, match.rule->title, static_cast<int>(match.severity), match.detail);
  };
  for (const auto& reader : source.open(stream)) {
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const std::string copy(bytes.substr(at, piece));  // of its own size, so that reading beyond it is seen
      reader->write(copy, on_match);
    }
    reader->end(on_match);
  }
  std::sort(seen.begin(), seen.end());
  return seen;
}

const KnownSecrets& fixed() {
  static const KnownSecrets known = [] {
    auto parsed =
        KnownSecrets::parse(R"({"secrets":[{"name":"TOKEN","value":"ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"},
        {"name":"SHORT","value":"hunt3r"},{"name":"PERIODIC","value":"abcabcabcabcabcabcabc"},
        {"name":"KEY","value":"-----BEGIN PRIVATE KEY-----\nabababababababab\nababababababababa1B2\n-----END PRIVATE KEY-----"}],
        "canaries":[{"name":"decoy","value":"0a1b2c3d4e5f60718293a4b5c6d7e8f9"}]})");
    require(parsed.has_value());
    return std::move(*parsed);
  }();
  return known;
}

void check(const KnownSecrets& known, std::string_view bytes, size_t piece) {
  const StreamInfo stream{piece % 2 == 0 ? "dns" : "https", Direction::out, "a.example", "t"};
  const auto whole = read(known, bytes, bytes.size() + 1, stream);
  require(whole == read(known, bytes, piece, stream));
  for (const KnownForm& form : known.forms()) {
    const size_t at = bytes.find(form.bytes);
    if (at == bytes.npos) continue;
    const std::string& title = known.secrets()[form.secret].whole.title;
    require(std::any_of(whole.begin(), whole.end(), [&](const Seen& seen) {
      return std::get<0>(seen) <= at && std::get<1>(seen) >= at + form.bytes.size() && std::get<2>(seen) == title;
    }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view json = input.substr(0, end);
  const std::string_view bytes = input.substr(std::min(end + 1, input.size()));

  const auto known = KnownSecrets::parse(json);
  if (known) {
    require(known->fingerprint_key().size() >= 16);
    check(*known, bytes, piece);
  } else {
    require(!known.error().message().empty() && known.error().message().find('\n') == std::string::npos);
  }
  check(fixed(), bytes, piece);

  ExfiltrationScore score;
  const StreamInfo stream{"https", Direction::out, std::string(json.substr(0, 64)), "t"};
  ParameterScore parameters(score, stream, [] { return ExfiltrationScore::Time(std::chrono::hours(1)); });
  parameters.begin({"query:q", "", ""});
  parameters.write(bytes);
  require(!parameters.end() || bytes.size() >= 4096);
  return 0;
}
