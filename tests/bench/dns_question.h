// For benchmarks: "nN.bench.example A?" on the wire (RFC 1035 section 4.1). Without a library: part of what runs in a
// guest.
#pragma once

#include <cstdint>
#include <string>

inline std::string dns_question(uint16_t id, uint64_t name) {
  const std::string label = "n" + std::to_string(name);
  std::string message{static_cast<char>(id >> 8), static_cast<char>(id & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  message += static_cast<char>(label.size());
  message += label;
  message.append("\5bench\7example\0\0\1\0\1", 19);
  return message;
}
