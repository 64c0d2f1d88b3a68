#include "proxy/body_reader.h"

#include <algorithm>

#include "proxy/head_fields.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxChunkSizeDigits = 16;

tl::unexpected<Refusal> refused(std::string_view id, std::string reason) {
  return tl::unexpected(Refusal{id, 400, std::move(reason)});
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The size of `1*HEXDIG [ chunk-ext ]`. Extensions are read over and never forwarded; whitespace where RFC 9112 section
// 7.1.1 tolerates it as "bad" is refused.
tl::expected<uint64_t, Refusal> parse_size_line(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  for (; digits < line.size() && hex_digit(line[digits]) >= 0; ++digits) {
    if (digits == kMaxChunkSizeDigits) return refused("http.chunk-size-overflow", "a chunk size has too many digits");
    size = size << 4 | static_cast<uint64_t>(hex_digit(line[digits]));
  }
  if (digits == 0) return refused("http.chunk-size", "a chunk does not begin with its size in hexadecimal");
  if (size > INT64_MAX) return refused("http.chunk-size-overflow", "a chunk size is too large");
  line.remove_prefix(digits);
  if (line.empty()) return size;
  if (line.size() == 1 || line[0] != ';') return refused("http.chunk-size", "a chunk size is followed by other bytes");
  const bool printable = std::all_of(line.begin(), line.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!printable) return refused("http.chunk-extension", "a chunk extension has whitespace or a control character");
  return size;
}

// Fields that decide framing, routing or authority, or that the head has already been judged by, are not allowed to
// come late (RFC 9110 section 6.5.1).
bool forbidden_in_trailer(std::string_view name) {
  static constexpr std::string_view kForbidden[] = {"Authorization",  "Cache-Control",
                                                    "Connection",     "Content-Encoding",
                                                    "Content-Length", "Content-Range",
                                                    "Content-Type",   "Cookie",
                                                    "Expect",         "Host",
                                                    "Location",       "Max-Forwards",
                                                    "Set-Cookie",     "TE",
                                                    "Trailer",        "Transfer-Encoding",
                                                    "Upgrade",        "WWW-Authenticate",
                                                    "Keep-Alive",     "Proxy-Connection"};
  return std::any_of(std::begin(kForbidden), std::end(kForbidden),
                     [&](std::string_view forbidden) { return same_token(forbidden, name); });
}

// Bytes of a body that goes on.
ReadEvent piece(size_t consumed, std::string_view bytes) {
  return {bytes.empty() ? ReadEvent::Kind::need_more : ReadEvent::Kind::body, consumed, bytes};
}

}  // namespace

void BodyReader::start(const Framing& framing) {
  *this = BodyReader();
  framing_ = framing;
  left_ = framing.length;
}

tl::expected<ReadEvent, Refusal> BodyReader::feed(std::string_view input) {
  switch (framing_.kind) {
    case Framing::Kind::none:
      return ReadEvent{ReadEvent::Kind::complete, 0, {}};
    case Framing::Kind::until_close:
      return piece(input.size(), input);
    case Framing::Kind::length: {
      if (left_ == 0) return ReadEvent{ReadEvent::Kind::complete, 0, {}};
      const std::string_view bytes = input.substr(0, left_);
      left_ -= bytes.size();
      return piece(bytes.size(), bytes);
    }
    case Framing::Kind::chunked:
      break;
  }
  return feed_chunked(input);
}

tl::expected<ReadEvent, Refusal> BodyReader::feed_chunked(std::string_view input) {
  size_t consumed = 0;
  while (chunk_ != Chunk::complete && consumed < input.size()) {
    const std::string_view rest = input.substr(consumed);
    if (chunk_ == Chunk::data) {
      const std::string_view bytes = rest.substr(0, left_);
      left_ -= bytes.size();
      if (left_ == 0) chunk_ = Chunk::data_end;
      return piece(consumed + bytes.size(), bytes);
    }
    const auto taken = chunk_ == Chunk::size       ? read_size_line(rest)
                       : chunk_ == Chunk::data_end ? read_data_end(rest)
                                                   : read_trailers(rest);
    if (!taken) return tl::unexpected(taken.error());
    consumed += *taken;
  }
  const auto kind = chunk_ == Chunk::complete ? ReadEvent::Kind::complete : ReadEvent::Kind::need_more;
  return ReadEvent{kind, consumed, {}};
}

tl::expected<size_t, Refusal> BodyReader::read_size_line(std::string_view input) {
  const std::string_view window = input.substr(0, kMaxChunkLineBytes + kChunkSuffix.size() - line_.size());
  const size_t newline = window.find('\n');
  const size_t count = newline == std::string_view::npos ? window.size() : newline + 1;
  line_.append(window.substr(0, count));

  std::string_view line = line_;
  if (newline != std::string_view::npos) line.remove_suffix(1);
  const bool ends_in_cr = line.ends_with('\r');
  if (ends_in_cr) line.remove_suffix(1);
  if (line.size() > kMaxChunkLineBytes) {
    return refused("http.chunk-line-too-long", "a chunk size with its extensions is longer than 256 bytes");
  }
  if (newline == std::string_view::npos) return count;
  if (!ends_in_cr) return refused("http.bare-lf", "a chunk size ends in LF without CR");
  if (line.find('\r') != std::string_view::npos) return refused("http.bare-cr", "a CR stands without LF");
  const auto size = parse_size_line(line);
  if (!size) return tl::unexpected(size.error());
  line_.clear();
  left_ = *size;
  chunk_ = left_ == 0 ? Chunk::trailers : Chunk::data;
  return count;
}

tl::expected<size_t, Refusal> BodyReader::read_data_end(std::string_view input) {
  const std::string_view window = input.substr(0, kChunkSuffix.size() - line_.size());
  line_.append(window);
  if (!kChunkSuffix.starts_with(line_)) {
    return refused("http.chunk-data", "a chunk is not followed by CRLF: it is longer than its size says");
  }
  if (line_.size() == kChunkSuffix.size()) {
    line_.clear();
    chunk_ = Chunk::size;
  }
  return window.size();
}

tl::expected<size_t, Refusal> BodyReader::read_trailers(std::string_view input) {
  const auto taken = trailer_buffer_.feed(input);
  if (!taken || !trailer_buffer_.complete()) return taken;
  trailers_ = split_fields(trailer_buffer_.bytes());
  for (const Field& field : trailers_) {
    if (forbidden_in_trailer(field.name)) {
      return refused("http.trailer-forbidden", "a trailer field is one that may only stand in the head");
    }
  }
  chunk_ = Chunk::complete;
  return taken;
}

}  // namespace gatehouse::proxy
