#include "common/git/pkt_line.h"

#include <fmt/format.h>

#include <cassert>
#include <charconv>
#include <iterator>

namespace gatehouse::git {

namespace {
constexpr size_t kCompactAboveBytes = 64 * 1024;
}  // namespace

void PktReader::feed(std::string_view bytes) {
  if (read_ == buffer_.size() || read_ > kCompactAboveBytes) {
    buffer_.erase(0, read_);
    read_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<Pkt>> PktReader::next() {
  const auto left = rest();
  if (left.size() < kPktHeaderBytes) return std::nullopt;
  unsigned length = 0;
  const char* end = left.data() + kPktHeaderBytes;
  if (const auto [stop, error] = std::from_chars(left.data(), end, length, 16); error != std::errc() || stop != end) {
    return fail("not a pkt-line: its length is no hex number");
  }
  if (length < 3) {
    constexpr Pkt::Kind kMarks[] = {Pkt::Kind::flush, Pkt::Kind::delimiter, Pkt::Kind::response_end};
    read_ += kPktHeaderBytes;
    return Pkt{kMarks[length], {}};
  }
  if (length < kPktHeaderBytes || length > kPktHeaderBytes + kMaxPktPayloadBytes) {
    return fail("not a pkt-line: its length is {}", length);
  }
  if (left.size() < length) return std::nullopt;
  read_ += length;
  return Pkt{Pkt::Kind::data, left.substr(kPktHeaderBytes, length - kPktHeaderBytes)};
}

void append_pkt(std::string& out, std::string_view payload) {
  assert(payload.size() <= kMaxPktPayloadBytes);
  fmt::format_to(std::back_inserter(out), "{:04x}", payload.size() + kPktHeaderBytes);
  out += payload;
}

void append_flush(std::string& out) { out += "0000"; }

std::string_view without_line_feed(std::string_view payload) {
  if (payload.ends_with('\n')) payload.remove_suffix(1);
  return payload;
}

}  // namespace gatehouse::git
