// For tests: zip and tar archives, and what a decoder of containers makes of bytes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "common/codec/test_encoders.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/recorded_host.h"

namespace gatehouse::dlp {

inline std::string little(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i);
  return bytes;
}

struct ZipOptions {
  uint16_t method = 8;
  uint16_t flags = 0;
  uint64_t size = UINT64_MAX;  // declared; UINT64_MAX: the true one
  std::string extra = {};
};

// A local header and the entry's data, `data` being compressed already.
inline std::string zip_entry(std::string_view name, std::string_view data, const ZipOptions& options = {}) {
  const uint64_t size = options.size == UINT64_MAX ? data.size() : options.size;
  return "PK\x03\x04" + little(20, 2) + little(options.flags, 2) + little(options.method, 2) + little(0, 4) +
         little(0x12345678, 4) + little(size, 4) + little(size, 4) + little(name.size(), 2) +
         little(options.extra.size(), 2) + std::string(name) + options.extra + std::string(data);
}
inline std::string stored(std::string_view name, std::string_view text) { return zip_entry(name, text, {.method = 0}); }
inline std::string packed(std::string_view name, std::string_view text) { return zip_entry(name, deflated(text, -15)); }
// A central directory that says nothing, and its end.
inline std::string zip_end() { return "PK\x05\x06" + std::string(18, '\0'); }

// A header with the right checksum, of the ustar format.
inline std::string tar_header(std::string_view name, uint64_t size, char type = '0', std::string_view prefix = {},
                              std::string_view link = {}) {
  std::string block(512, '\0');
  block.replace(0, std::min<size_t>(name.size(), 100), name.substr(0, 100));
  block.replace(100, 8, "0000644\0", 8);
  char digits[32];
  if (size < uint64_t{1} << 33) {
    std::snprintf(digits, sizeof digits, "%011llo", static_cast<unsigned long long>(size));
    block.replace(124, 11, digits);
  } else {
    block[124] = static_cast<char>(0x80);
    for (size_t i = 0; i < 8; ++i) block[135 - i] = static_cast<char>(size >> 8 * i);
  }
  block[156] = type;
  block.replace(157, link.size(), link);
  block.replace(257, 8,
                "ustar\0"
                "00",
                8);
  block.replace(345, prefix.size(), prefix);
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<uint8_t>(byte);
  std::snprintf(digits, sizeof digits, "%06o", sum);
  block.replace(148, 7, digits, 7);
  return block;
}
inline std::string tar_entry(std::string_view name, std::string_view text, char type = '0',
                             std::string_view prefix = {}) {
  std::string entry = tar_header(name, text.size(), type, prefix) + std::string(text);
  entry.resize((entry.size() + 511) / 512 * 512, '\0');
  return entry;
}
inline std::string tar_end() { return std::string(1024, '\0'); }

// What a sniffer makes of one piece that comes in pieces of `piece` bytes, the first of `cut`.
inline void sniff(RecordedHost& host, std::string_view bytes, size_t piece = SIZE_MAX, std::string_view type = {},
                  size_t cut = SIZE_MAX) {
  ContainerSniffer sniffer(host);
  sniffer.declare({0, {}, std::string(type), {}});
  for (size_t at = 0; at < bytes.size();) {
    const auto part = bytes.substr(at, at == 0 && cut != 0 ? std::min(cut, piece) : piece);
    sniffer.write(part);
    at += part.size();
  }
  sniffer.end();
}

}  // namespace gatehouse::dlp
