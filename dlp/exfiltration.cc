#include "dlp/exfiltration.h"

#include <fmt/core.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/base/ip_address.h"
#include "dlp/secret_forms.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMinWordBytes = 8;
constexpr double kOrdinary = 1.0 / 8;

// Above what ordinary clients reach within the window: 400 objects of 14 random characters asked for one by one, 1500
// UUIDs, 10000 signed requests. A name has no business being random, so of those less.
struct Threshold {
  size_t words;
  double bytes;
};
constexpr Threshold kParameters{64, 4096};
constexpr Threshold kNames{32, 1024};

using namespace std::string_view_literals;

// Parameters, cookies and headers in which random values are at home.
constexpr std::array kOrdinaryNames = {"after"sv,
                                       "authorization"sv,
                                       "before"sv,
                                       "code"sv,
                                       "code_challenge"sv,
                                       "continuation"sv,
                                       "cursor"sv,
                                       "digest"sv,
                                       "ending_before"sv,
                                       "etag"sv,
                                       "idempotency-key"sv,
                                       "if-match"sv,
                                       "if-none-match"sv,
                                       "marker"sv,
                                       "next"sv,
                                       "next_token"sv,
                                       "nexttoken"sv,
                                       "nonce"sv,
                                       "page_token"sv,
                                       "pagetoken"sv,
                                       "request-id"sv,
                                       "request_id"sv,
                                       "sec-websocket-key"sv,
                                       "sig"sv,
                                       "signature"sv,
                                       "starting_after"sv,
                                       "state"sv,
                                       "traceparent"sv,
                                       "tracestate"sv,
                                       "x-correlation-id"sv,
                                       "x-request-id"sv};
static_assert(std::is_sorted(kOrdinaryNames.begin(), kOrdinaryNames.end()));
constexpr std::array kOrdinaryPrefixes = {"x-amz-"sv, "x-goog-"sv, "x-b3-"sv, "x-ms-"sv};
constexpr std::array<size_t, 9> kHexLengths = {16, 24, 32, 40, 56, 60, 64, 96, 128};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alnum(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_ordinary_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = is_upper(c) ? static_cast<char>(c | 0x20) : c;
  return std::binary_search(kOrdinaryNames.begin(), kOrdinaryNames.end(), lower) ||
         std::any_of(kOrdinaryPrefixes.begin(), kOrdinaryPrefixes.end(),
                     [&](std::string_view prefix) { return lower.starts_with(prefix); });
}

bool is_uuid(std::string_view token) {
  if (token.size() != 36) return false;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? token[i] != '-' : !is_hex(token[i])) return false;
  }
  return true;
}

bool all_hex(std::string_view word) { return std::all_of(word.begin(), word.end(), is_hex); }

bool is_usual_hex(std::string_view word) {
  return std::find(kHexLengths.begin(), kHexLengths.end(), word.size()) != kHexLengths.end() && all_hex(word);
}

// What this many characters of its alphabet can carry at most.
double bits_of(std::string_view word) {
  if (all_hex(word)) return 4.0 * static_cast<double>(word.size());
  const auto has = [&](bool (*kind)(char)) { return std::any_of(word.begin(), word.end(), kind); };
  const int letters = 10 * has(is_digit) + 26 * has(is_lower) + 26 * has(is_upper);
  return std::log2(std::max(letters, 2)) * static_cast<double>(word.size());
}

std::array<uint64_t, 2> random_key() {
  std::array<uint64_t, 2> key{};
  // Without randomness the filter works as well, only predictably.
  (void)RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), sizeof(key));
  return key;
}

uint64_t fold(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Which bits of a filter stand for a hash: four.
template <class Use>
void each_bit(uint64_t hash, size_t bits, Use use) {
  for (int i = 0; i < 4; ++i, hash >>= 16) use((hash & 0xffff) % bits);
}

int64_t period_of(ExfiltrationScore::Time now) { return now.time_since_epoch() / (kScoreWindow / 2); }

}  // namespace

ExfiltrationScore::ExfiltrationScore() : key_(random_key()) {}

bool ExfiltrationScore::Half::holds(uint64_t hash) const {
  bool all = true;
  each_bit(hash, kFilterBits, [&](size_t bit) { all = all && (filter[bit / 64] >> (bit % 64) & 1) != 0; });
  return all;
}

void ExfiltrationScore::Half::insert(uint64_t hash) {
  each_bit(hash, kFilterBits, [&](size_t bit) { filter[bit / 64] |= uint64_t{1} << (bit % 64); });
}

uint64_t ExfiltrationScore::hash(std::string_view word) const {
  uint64_t state = key_[0] ^ word.size();
  for (; !word.empty(); word.remove_prefix(std::min<size_t>(word.size(), 8))) {
    uint64_t block = 0;
    std::memcpy(&block, word.data(), std::min<size_t>(word.size(), 8));
    state = fold(state ^ block, key_[1] | 1) ^ (state >> 7);
  }
  return fold(state ^ key_[1], 0x9e3779b97f4a7c15u);
}

std::string_view ExfiltrationScore::destination(std::string_view host) {
  if (looks_like_ip(host)) return host;
  size_t at = host.rfind('.');
  if (at == host.npos || at == 0) return host;
  size_t before = host.rfind('.', at - 1);
  if (before == host.npos || before == 0) return host;
  if (at - before <= 4) {  // "co", "com"
    before = host.rfind('.', before - 1);
    if (before == host.npos) return host;
  }
  return host.substr(before + 1);
}

ExfiltrationScore::Score& ExfiltrationScore::score_of(std::string destination, int64_t period) {
  const auto known = by_destination_.find(destination);
  if (known != by_destination_.end()) {
    scores_.splice(scores_.begin(), scores_, known->second);
  } else {
    if (scores_.size() == kScoredDestinations) {
      by_destination_.erase(scores_.back().destination);
      scores_.pop_back();
    }
    Score& score = scores_.emplace_front();
    score.destination = std::move(destination);
    score.period = period;
    by_destination_.emplace(score.destination, scores_.begin());
  }
  Score& score = scores_.front();
  for (; score.period < period; ++score.period) {
    if (period - score.period > 2) score.period = period - 2;
    score.halves[1] = score.halves[0];
    score.halves[0] = {};
  }
  return score;
}

std::optional<Finding> ExfiltrationScore::add(const StreamInfo& stream, std::string_view word, double bits, Time now) {
  const bool name = stream.channel == "dns";
  const Threshold threshold = name ? kNames : kParameters;
  const std::string_view to = destination(stream.host);
  const uint64_t hashed = hash(word);

  const std::lock_guard lock(mutex_);
  // Names and requests are scored apart, as they have different thresholds.
  Score& score = score_of(std::string(name ? "dns " : "") + std::string(to), period_of(now));
  auto& [here, before] = score.halves;
  if (here.holds(hashed) || before.holds(hashed)) return {};
  here.insert(hashed);
  ++here.words;
  here.bits += bits;
  const size_t words = here.words + before.words;
  const double bytes = (here.bits + before.bits) / 8;
  if (words < threshold.words || bytes < threshold.bytes || score.period - score.warned < 2) return {};
  score.warned = score.period;

  Finding finding;
  finding.rule = "entropy-exfiltration";
  finding.category = "entropy";
  finding.title = "steady flow of random-looking values";
  finding.severity = finding.action = FindingAction::warn;
  finding.confidence = Confidence::low;
  finding.detail = fmt::format("{} different ones, up to {} bytes of information, sent to {} in {} within {} minutes",
                               words, std::llround(bytes), to, name ? "names" : "parameters", kScoreWindow.count());
  return finding;
}

ParameterScore::ParameterScore(ExfiltrationScore& score, const StreamInfo& stream, Clock clock)
    : score_(score), stream_(stream), clock_(std::move(clock)) {}

void ParameterScore::begin(const PartInfo& part) {
  (void)end();
  location_ = part.location;
  const std::string_view location = location_;
  const size_t colon = location.find(':');
  const std::string_view kind = location.substr(0, colon);
  const bool named = colon != location.npos;
  const bool joined = !named && (kind == "query" || kind == "head" || kind == "names");
  scored_ = stream_.direction == Direction::out && !joined && kind != "body" && !kind.starts_with("body/");
  weight_ = named && !kind.ends_with("-name") && is_ordinary_name(location.substr(colon + 1)) ? kOrdinary : 1;
}

void ParameterScore::write(std::string_view bytes) {
  if (!scored_) return;
  for (const char c : bytes) {
    if (is_alnum(c) || c == '-') {
      token_.push_back(c);
      if (token_.size() == kMaxScoredWordBytes) end_token();
    } else if (!token_.empty()) {
      end_token();
    }
  }
}

std::optional<Finding> ParameterScore::end() {
  end_token();
  if (finding_) finding_->location = location_;
  return std::exchange(finding_, std::nullopt);
}

void ParameterScore::end_token() {
  const std::string_view token = token_;
  const auto enter = [&](std::string_view word, double bits) {
    auto finding = score_.add(stream_, word, bits * weight_, clock_());
    if (finding) finding_ = std::move(finding);
  };
  if (is_uuid(token)) {
    enter(token, 128 * kOrdinary);
  } else {
    for (size_t at = 0; at < token.size();) {
      const size_t end = std::min(token.find('-', at), token.size());
      const std::string_view word = token.substr(at, end - at);
      if (word.size() >= kMinWordBytes && looks_random(word)) {
        enter(word, bits_of(word) * (is_usual_hex(word) ? kOrdinary : 1));
      }
      at = end + 1;
    }
  }
  token_.clear();
}

}  // namespace gatehouse::dlp
