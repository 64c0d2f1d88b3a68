#include "dns/name_statistics.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gatehouse::dns {

namespace {

constexpr uint16_t kTypeNull = 10, kTypeTxt = 16;
constexpr uint32_t kMostCharacters = 1 << 16;  // remembered by the coder; then it forgets half, as habits change

size_t symbol_of(char c) {
  if (c >= 'a' && c <= 'z') return static_cast<size_t>(c - 'a');
  if (c >= '0' && c <= '9') return static_cast<size_t>(26 + c - '0');
  return c == '-' ? 36 : c == '_' ? 37 : c == '.' ? 38 : 39;
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void NameStatistics::add(std::string_view name, uint16_t type, const KeyedHash& hash, Time now) {
  ++questions_;
  names_.add(hash(name));
  if (type == kTypeNull || type == kTypeTxt) ++bulk_;
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    in_second_ = 0;
  }
  busiest_second_ = std::max(busiest_second_, ++in_second_);

  for (size_t place = 0, end = name.size(); end > 0; ++place) {
    const size_t dot = name.rfind('.', end - 1);
    const size_t start = dot == std::string_view::npos ? 0 : dot + 1;
    const auto label = name.substr(start, end - start);
    end = start == 0 ? 0 : dot;
    ++labels_;
    label_bytes_ += label.size();
    longest_label_ = std::max(longest_label_, label.size());
    if (place < kComparedLabels) {
      const auto hashed = static_cast<uint32_t>(hash(label));
      if (std::exchange(last_labels_[place], hashed) == hashed) continue;
    }
    for (const char c : label) {
      // Krichevsky and Trofimov's estimate of what this character's probability was.
      auto& seen = seen_[symbol_of(c)];
      bits_ += std::log2((characters_ + kSymbols / 2.0) / (seen + 0.5));
      ++seen;
      ++characters_;
    }
    if (characters_ < kMostCharacters) continue;
    characters_ = 0;
    for (auto& seen : seen_) characters_ += seen /= 2;
  }
}

uint64_t NameStatistics::names() const {
  return std::min(questions_, static_cast<uint64_t>(std::llround(names_.estimate())));
}

double NameStatistics::information_bytes() const {
  return questions_ == 0 ? 0 : bits_ / 8 / static_cast<double>(questions_) * static_cast<double>(names());
}

double NameStatistics::mean_label() const { return share(label_bytes_, labels_); }

double NameStatistics::entropy() const {
  double bits = 0;
  for (const uint32_t seen : seen_) {
    if (seen > 0) bits -= share(seen, characters_) * std::log2(share(seen, characters_));
  }
  return bits;
}

double NameStatistics::bulk_share() const { return share(bulk_, questions_); }

std::string NameStatistics::text() const {
  const auto bulk =
      bulk_ == 0 ? std::string() : fmt::format(", {:.0f} % of the questions for TXT or NULL", 100 * bulk_share());
  return fmt::format(
      "{} names with about {:.0f} bytes of information, labels up to {} bytes ({:.0f} on average) of {:.1f} bits a "
      "character{}, up to {} a second",
      names(), information_bytes(), longest_label_, mean_label(), entropy(), bulk, busiest_second_);
}

}  // namespace gatehouse::dns
