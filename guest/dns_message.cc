#include "guest/dns_message.h"

#include <algorithm>
#include <optional>

namespace gatehouse::guest {

namespace {

constexpr size_t kClassicUdpBytes = 512;  // RFC 1035 section 4.2.1
constexpr size_t kLargestDatagramBytes = 65507;
constexpr size_t kMaxLabelBytes = 63;
constexpr size_t kMaxNameBytes = 255;
constexpr uint16_t kOptType = 41;      // RFC 6891 section 6.1.2
constexpr char kResponseBit = '\x80';  // in the third octet
constexpr char kTruncatedBit = '\x02';
constexpr char kKeepOpcodeAndRd = '\x79';
constexpr char kServerFailure = '\x02';  // RCODE, in the fourth octet

uint16_t number_at(std::string_view message, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(message[at]) << 8 |
                               static_cast<unsigned char>(message[at + 1]));
}

// Where the name at `at` ends, or nothing if it runs out of the message. A compression pointer ends a name; where it
// points to is of no interest here, so there is no loop to fall into.
std::optional<size_t> end_of_name(std::string_view message, size_t at) {
  const size_t start = at;
  while (at < message.size() && at - start < kMaxNameBytes) {
    const auto length = static_cast<unsigned char>(message[at]);
    if (length == 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= message.size() ? std::optional(at + 2) : std::nullopt;
    if (length > kMaxLabelBytes) return std::nullopt;
    at += 1 + length;
  }
  return std::nullopt;
}

std::optional<size_t> end_of_question(std::string_view message) {
  if (number_at(message, 4) != 1) return std::nullopt;
  const auto name_end = end_of_name(message, kDnsHeaderBytes);
  if (!name_end || *name_end + 4 > message.size()) return std::nullopt;
  return *name_end + 4;
}

void clear_counts_from(std::string& message, size_t at) {
  std::fill(message.begin() + static_cast<std::ptrdiff_t>(at), message.begin() + kDnsHeaderBytes, '\0');
}

}  // namespace

bool is_query(std::string_view message) {
  return message.size() >= kDnsHeaderBytes && message.size() <= kMaxDnsMessageBytes && (message[2] & kResponseBit) == 0;
}

bool is_response(std::string_view message) {
  return message.size() >= kDnsHeaderBytes && message.size() <= kMaxDnsMessageBytes && (message[2] & kResponseBit) != 0;
}

uint16_t message_id(std::string_view message) { return number_at(message, 0); }

void set_message_id(std::string& message, uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

std::string_view header_and_question(std::string_view query) {
  return query.substr(0, end_of_question(query).value_or(kDnsHeaderBytes));
}

size_t udp_answer_limit(std::string_view query) {
  const auto question_end = end_of_question(query);
  if (!question_end || number_at(query, 6) != 0 || number_at(query, 8) != 0) return kClassicUdpBytes;
  size_t at = *question_end;
  for (int left = number_at(query, 10); left > 0; --left) {
    constexpr size_t kFixedBytes = 10;  // type, class, TTL, length
    const auto name_end = end_of_name(query, at);
    if (!name_end || *name_end + kFixedBytes > query.size()) return kClassicUdpBytes;
    if (number_at(query, *name_end) == kOptType) {
      return std::clamp<size_t>(number_at(query, *name_end + 2), kClassicUdpBytes, kLargestDatagramBytes);
    }
    at = *name_end + kFixedBytes + number_at(query, *name_end + 8);
  }
  return kClassicUdpBytes;
}

std::string server_failure(std::string_view header_and_question) {
  std::string answer(header_and_question);
  answer[2] = static_cast<char>((answer[2] & kKeepOpcodeAndRd) | kResponseBit);
  answer[3] = kServerFailure;
  clear_counts_from(answer, answer.size() == kDnsHeaderBytes ? 4 : 6);
  return answer;
}

std::string fit_to_udp(std::string response, size_t limit) {
  if (response.size() <= limit) return response;
  std::string cut(header_and_question(response));
  cut[2] = static_cast<char>(cut[2] | kTruncatedBit);
  clear_counts_from(cut, cut.size() == kDnsHeaderBytes ? 4 : 6);
  return cut;
}

}  // namespace gatehouse::guest
