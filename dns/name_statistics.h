// What the names asked below one domain come to, in a fixed number of bytes however many there are.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dns/distinct_count.h"
#include "dns/keyed_hash.h"
#include "dns/time.h"

namespace gatehouse::dns {

// How much different names can say is estimated as their number times the mean of what each took to encode, which is
// what an adaptive order-0 arithmetic coder would take that has seen the ones before; a label that stood in the same
// place of the name before costs nothing. (Bounding a channel by the compressed size of its distinct queries: Paxson
// and others, "Practical Comprehensive Bounds on Surreptitious Communication over DNS", 2013.)
class NameStatistics {
 public:
  // A question: `name` is what stands below the domain, lower case, labels joined by dots. `hash` is for the whole life
  // of this the same. `now` never goes back.
  void add(std::string_view name, uint16_t type, const KeyedHash& hash, Time now);

  uint64_t questions() const { return questions_; }
  uint64_t names() const;            // different ones, estimated
  double information_bytes() const;  // of all different names, estimated
  size_t longest_label() const { return longest_label_; }
  double mean_label() const;  // bytes
  double entropy() const;     // of the characters of all labels, bits a character
  double bulk_share() const;  // of questions for TXT and NULL, which carry the most back: 0 to 1
  uint64_t busiest_second() const { return busiest_second_; }  // questions

  // "37 names with about 1210 bytes of information, labels up to 63 bytes (41 on average) of 3.9 bits a character, 90 %
  // of the questions for TXT or NULL, up to 12 a second".
  std::string text() const;

 private:
  static constexpr size_t kSymbols = 40;  // letters, digits, hyphen, underscore, dot, anything else
  static constexpr size_t kComparedLabels = 8;

  DistinctCount names_;
  std::array<uint32_t, kSymbols> seen_{};
  uint32_t characters_ = 0;
  std::array<uint32_t, kComparedLabels> last_labels_{};  // hashes of the last name's, from its end
  uint64_t questions_ = 0;
  double bits_ = 0;
  uint64_t labels_ = 0;
  uint64_t label_bytes_ = 0;
  size_t longest_label_ = 0;
  uint64_t bulk_ = 0;
  Time second_{};  // began then
  uint64_t in_second_ = 0;
  uint64_t busiest_second_ = 0;
};

}  // namespace gatehouse::dns
