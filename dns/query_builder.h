// For tests: puts queries together byte by byte, the impossible ones too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dns/message.h"

namespace gatehouse::dns {

class QueryBuilder {
 public:
  // A standard query with id 0x1234 and RD.
  QueryBuilder& id(uint16_t id) { return id_ = id, *this; }
  QueryBuilder& flags(uint16_t flags) { return flags_ = flags, *this; }
  // Labels from dotted text, in the case given.
  QueryBuilder& ask(std::string_view name, uint16_t type = kTypeA, uint16_t klass = kClassIn) {
    return ask_raw(wire(name), type, klass);
  }
  QueryBuilder& ask_raw(std::string_view wire_name, uint16_t type = kTypeA, uint16_t klass = kClassIn) {
    ++questions_;
    body_ += wire_name;
    body_ += u16(type) + u16(klass);
    return *this;
  }
  QueryBuilder& questions(uint16_t count) { return questions_ = count, *this; }
  QueryBuilder& answers(uint16_t count) { return answers_ = count, *this; }
  QueryBuilder& authorities(uint16_t count) { return authorities_ = count, *this; }
  QueryBuilder& additionals(uint16_t count) { return additionals_ = count, *this; }
  QueryBuilder& opt(uint16_t udp_bytes = 1232, std::string_view options = "", uint8_t version = 0,
                    bool dnssec_ok = false, std::string_view owner = std::string_view("\0", 1)) {
    ++additionals_;
    body_ += owner;
    body_ += u16(kTypeOpt) + u16(udp_bytes);
    body_ += '\0';
    body_ += static_cast<char>(version);
    body_ += u16(dnssec_ok ? 0x8000 : 0) + u16(static_cast<uint16_t>(options.size()));
    body_ += options;
    return *this;
  }
  QueryBuilder& raw(std::string_view bytes) { return body_ += bytes, *this; }

  std::string bytes() const {
    return u16(id_) + u16(flags_) + u16(questions_) + u16(answers_) + u16(authorities_) + u16(additionals_) + body_;
  }
  operator std::string() const { return bytes(); }

  static std::string u16(uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }
  static std::string wire(std::string_view name) {
    std::string bytes;
    while (!name.empty()) {
      const auto label = name.substr(0, name.find('.'));
      bytes += static_cast<char>(label.size());
      bytes += label;
      name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return bytes + '\0';
  }

 private:
  uint16_t id_ = 0x1234;
  uint16_t flags_ = kFlagRecursionDesired;
  uint16_t questions_ = 0;
  uint16_t answers_ = 0;
  uint16_t authorities_ = 0;
  uint16_t additionals_ = 0;
  std::string body_;
};

}  // namespace gatehouse::dns
