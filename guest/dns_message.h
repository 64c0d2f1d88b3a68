// As much of DNS as a relay needs: where the question ends, how large an answer may be, and two answers of its own.
// It judges nothing: whatever has a header goes to the host, where it is judged and logged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::guest {

inline constexpr size_t kDnsHeaderBytes = 12;
inline constexpr size_t kMaxDnsMessageBytes = 65535;  // RFC 1035 section 4.2.2: the TCP length prefix has 16 bits

// True for a message a client may send: a whole header with QR = 0.
bool is_query(std::string_view message);
// True for a message a server may send: a whole header with QR = 1.
bool is_response(std::string_view message);

// Both need a whole header.
uint16_t message_id(std::string_view message);
void set_message_id(std::string& message, uint16_t id);

// The header and, if it is a single well-formed question, that: what an answer has to repeat. `query` has a header.
std::string_view header_and_question(std::string_view query);

// The largest UDP answer the client takes: its EDNS payload size (RFC 6891 section 6.2.3), at least 512 and at most
// what fits one datagram; 512 when there is no OPT record or the message cannot be read.
size_t udp_answer_limit(std::string_view query);

// SERVFAIL for what header_and_question() gave.
std::string server_failure(std::string_view header_and_question);

// `response` if it is at most `limit` bytes, otherwise its header and question with TC set (RFC 2181 section 9).
std::string fit_to_udp(std::string response, size_t limit);

}  // namespace gatehouse::guest
