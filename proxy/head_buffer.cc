#include "proxy/head_buffer.h"

#include <algorithm>
#include <array>

namespace gatehouse::proxy {

namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  }
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr auto kTokenChars = make_token_table();

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

tl::unexpected<Refusal> refused(std::string_view id, int status, std::string reason) {
  return tl::unexpected(Refusal{id, status, std::move(reason)});
}

}  // namespace

bool is_token_char(unsigned char c) { return kTokenChars[c]; }

tl::expected<size_t, Refusal> HeadBuffer::feed(std::string_view input) {
  size_t taken = 0;
  const bool had_start_line = has_start_line_;
  while (taken < input.size() && !complete_ && has_start_line_ == had_start_line) {
    // Never more than one byte over the limit is kept, however much comes at once.
    const std::string_view rest = input.substr(taken, max_bytes() + 1 - bytes_.size());
    const size_t newline = rest.find('\n');
    const size_t count = newline == std::string_view::npos ? rest.size() : newline + 1;
    bytes_.append(rest.substr(0, count));
    taken += count;
    if (auto ok = check_growth(); !ok) return tl::unexpected(ok.error());
    if (newline == std::string_view::npos) continue;
    if (auto ok = end_line(); !ok) return tl::unexpected(ok.error());
  }
  return taken;
}

std::string_view HeadBuffer::start_line() const { return std::string_view(bytes_).substr(0, bytes_.find('\r')); }

void HeadBuffer::clear() { *this = HeadBuffer(start_); }

// Judges the line under way, with what has come of its CRLF.
tl::expected<void, Refusal> HeadBuffer::check_growth() {
  std::string_view line = std::string_view(bytes_).substr(line_begin_);
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (on_start_line()) {
    const std::string_view within = line.substr(0, kMaxStartLineBytes);
    if (auto ok = check_start_line_bytes(within.substr(checked_)); !ok) return ok;
    checked_ = within.size();
    if (line.size() <= kMaxStartLineBytes) return {};
    if (start_ == Start::request) {
      return refused("http.request-line-too-long", 414, "the request line is longer than 8 KiB");
    }
    return refused("http.status-line-too-long", 431, "the status line is longer than 8 KiB");
  }
  if (line.size() > kMaxHeaderLineBytes) {
    return refused("http.header-line-too-long", 431, "a header line is longer than 16 KiB");
  }
  if (bytes_.size() <= max_bytes()) return {};
  if (start_ == Start::trailer) {
    return refused("http.trailers-too-large", 431, "the trailer section is larger than 8 KiB");
  }
  return refused("http.head-too-large", 431, "the head is larger than 64 KiB");
}

// At once, byte by byte: whoever speaks another protocol may never send a line end.
tl::expected<void, Refusal> HeadBuffer::check_start_line_bytes(std::string_view bytes) const {
  const bool request = start_ == Start::request;
  const auto bad = std::find_if(bytes.begin(), bytes.end(), [&](unsigned char c) {
    return request ? is_control(c) || c >= 0x80 : is_control(c) && c != '\t';
  });
  if (bad == bytes.end()) return {};
  if (*bad == '\r') return refused("http.bare-cr", 400, "a CR stands without LF");
  if (request) return refused("http.request-line", 400, "the request line has a byte outside visible ASCII");
  return refused("http.status-line", 400, "the status line has a control character");
}

tl::expected<void, Refusal> HeadBuffer::end_line() {
  std::string_view line = std::string_view(bytes_).substr(line_begin_);
  line.remove_suffix(1);
  if (!line.ends_with('\r')) return refused("http.bare-lf", 400, "a line ends in LF without CR");
  line.remove_suffix(1);

  if (line.empty() && start_ == Start::request && !has_start_line_ && !skipped_empty_line_) {
    skipped_empty_line_ = true;
    bytes_.clear();
    checked_ = 0;
    return {};
  }
  if (line.find('\r') != std::string_view::npos) return refused("http.bare-cr", 400, "a CR stands without LF");

  if (on_start_line()) {
    has_start_line_ = true;
  } else if (line.empty()) {
    complete_ = true;
  } else {
    if (auto ok = check_field_line(line); !ok) return ok;
    const size_t limit = start_ == Start::trailer ? kMaxTrailerFields : kMaxHeaderFields;
    if (++fields_ > limit) return refused("http.too-many-headers", 431, "there are too many header or trailer fields");
  }
  line_begin_ = bytes_.size();
  return {};
}

// RFC 9112 section 5: field-name ":" OWS field-value OWS.
tl::expected<void, Refusal> HeadBuffer::check_field_line(std::string_view line) const {
  if (line.front() == ' ' || line.front() == '\t') {
    return refused("http.line-folding", 400, "a header line begins with whitespace (obsolete line folding)");
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refused("http.header-malformed", 400, "a header line has no colon");
  const std::string_view name = line.substr(0, colon);
  if (name.empty()) return refused("http.header-malformed", 400, "a header line has no field name");
  if (name.back() == ' ' || name.back() == '\t') {
    return refused("http.space-before-colon", 400, "whitespace stands between a field name and its colon");
  }
  if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return is_token_char(c); })) {
    return refused("http.header-name", 400, "a field name has a character that is not allowed");
  }
  const std::string_view value = line.substr(colon + 1);
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return is_control(c) && c != '\t'; })) {
    return refused("http.header-value", 400, "a field value has a control character");
  }
  return {};
}

}  // namespace gatehouse::proxy
