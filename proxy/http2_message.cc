#include "proxy/http2_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/body_reader.h"
#include "proxy/request_reader.h"
#include "proxy/response_reader.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE

tl::unexpected<Refusal> refused(std::string_view id, int status, std::string reason) {
  return tl::unexpected(Refusal{id, status, std::move(reason)});
}

bool is_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; });
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](unsigned char c) { return is_token_char(c) && !(c >= 'A' && c <= 'Z'); });
}

// RFC 9113 section 8.2.2.
bool concerns_connection(const Field& field) {
  for (const std::string_view name : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    if (field.name == name) return true;
  }
  return field.name == "te" && !same_token(field.value, "trailers");
}

// As field lines of HTTP/1.1. Cookies that came in crumbs are one again (RFC 9113 section 8.2.3).
tl::expected<std::string, Refusal> field_lines(const Http2Block& block, std::string_view besides = "") {
  if (block.too_large)
    return refused("http.head-too-large", 431, "the head is larger than 64 KiB, or has too many fields");
  if (block.unsound) return refused("http2.field", 400, "a field has a name or value that is not allowed");
  std::string lines, cookies;
  for (const Field& field : block.fields) {
    if (!is_name(field.name) || !is_value(field.value)) {
      return refused("http2.field", 400, "a field has a name or value that is not allowed");
    }
    if (concerns_connection(field)) {
      return refused("http2.connection-field", 400, "a field that HTTP/2 has no use for (RFC 9113 section 8.2.2)");
    }
    if (field.name == besides) continue;
    if (field.name == "cookie") {
      cookies.append(cookies.empty() ? "" : "; ").append(field.value);
    } else {
      lines.append(field.name).append(": ").append(field.value).append("\r\n");
    }
  }
  if (!cookies.empty()) lines.append("cookie: ").append(cookies).append("\r\n");
  return lines;
}

bool declares_length(const Http2Block& block) { return find_field(block.fields, "content-length") != nullptr; }

// RFC 7541 section 7.1.3: what must not be found out by trying lies in no table.
bool is_sensitive(std::string_view name) {
  for (const std::string_view known : {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"}) {
    if (name == known) return true;
  }
  return false;
}

}  // namespace

void Http2Block::add(std::string_view name, std::string_view value) {
  bytes += name.size() + value.size() + kFieldOverhead;
  if (bytes > kMaxHeadBytes || fields.size() >= 2 * kMaxHeaderFields) too_large = true;  // cookies may be in crumbs
  if (too_large) return;
  const std::pair<std::string_view, std::string*> pseudo[] = {{":method", &method},       {":scheme", &scheme},
                                                              {":authority", &authority}, {":path", &path},
                                                              {":status", &status},       {":protocol", &protocol}};
  for (const auto& [known, where] : pseudo) {
    if (name == known) {
      *where = value;
      return;
    }
  }
  fields.push_back({std::string(name), std::string(value)});
}

tl::expected<RequestHead, Refusal> read_request(const Http2Block& block, Scheme scheme, bool ended) {
  auto lines = field_lines(block);
  if (!lines) return tl::unexpected(lines.error());
  const bool websocket = block.method == "CONNECT" && block.protocol == "websocket";
  if (!websocket && (block.method == "CONNECT" || !block.protocol.empty())) {
    return refused("protocol.connect", 501, "CONNECT is understood within HTTP/2 for WebSockets alone (RFC 8441)");
  }
  if (websocket && (ended || declares_length(block))) {
    return refused("protocol.connect", 400, "what opens a WebSocket has no body, and its stream does not end with it");
  }
  // Spaces in one of them would move the words of the line about.
  for (const auto& part : {block.method, block.scheme, block.authority, block.path}) {
    if (!is_value(part) || part.find_first_of(" \t") != std::string::npos) {
      return refused("http2.pseudo-field", 400, "a pseudo-header field has a character that is not allowed");
    }
  }
  if (block.method.empty() || !block.path.starts_with('/') ||
      block.authority.find_first_of("/?#@") != std::string::npos) {
    return refused("http2.pseudo-field", 400, "the pseudo-header fields name no method, or no path on a host");
  }
  const Field* host = find_field(block.fields, "host");
  std::string text = (websocket ? "GET" : block.method) + ' ';
  if (!block.authority.empty()) text.append(block.scheme).append("://").append(block.authority);
  text.append(block.path).append(" HTTP/1.1\r\n");
  if (host == nullptr && !block.authority.empty()) text.append("host: ").append(block.authority).append("\r\n");
  text.append(*lines);
  if (!ended && !websocket && !declares_length(block)) text.append("transfer-encoding: chunked\r\n");
  // RFC 9110 section 8.6: where a body is usual, that there is none is said in HTTP/1.1.
  const bool usual = block.method == "POST" || block.method == "PUT" || block.method == "PATCH";
  if (ended && usual && !declares_length(block)) text.append("content-length: 0\r\n");
  text.append("\r\n");

  RequestReader reader(scheme);
  const auto event = reader.feed(text);
  if (!event) return tl::unexpected(event.error());
  if (event->kind != ReadEvent::Kind::head || event->consumed != text.size()) {
    return refused("http.ambiguous", 400, "two readers disagree on where the head ends");
  }
  auto head = reader.head();
  head.form = RequestHead::Form::origin;
  head.http2 = true;
  head.wants_upgrade = head.extended_connect = websocket;
  head.takes_trailers = find_field(block.fields, "te") != nullptr;
  std::erase_if(head.fields, [](const Field& field) { return same_token(field.name, "Transfer-Encoding"); });
  return head;
}

tl::expected<ResponseHead, Refusal> read_response(const Http2Block& block, std::string_view method, bool ended) {
  const auto lines = field_lines(block);
  if (!lines) return refused(lines.error().id, 502, lines.error().reason);
  std::string text = fmt::format("HTTP/1.1 {} \r\n{}", block.status, *lines);
  const bool interim = block.status.starts_with('1');
  if (!interim && !ended && !declares_length(block)) text.append("transfer-encoding: chunked\r\n");
  if (!interim && ended && !declares_length(block)) text.append("content-length: 0\r\n");
  text.append("\r\n");
  if (!is_value(block.status))
    return refused("http2.pseudo-field", 502, "the status has a character that is not allowed");
  if (block.status == "101") return refused("http2.pseudo-field", 502, "HTTP/2 has no status 101");

  ResponseReader reader(method);
  const auto event = reader.feed(text);
  if (!event) return tl::unexpected(event.error());
  if ((event->kind != ReadEvent::Kind::head && event->kind != ReadEvent::Kind::interim) ||
      event->consumed != text.size()) {
    return refused("http.ambiguous", 502, "two readers disagree on where the head ends");
  }
  auto head = reader.take_head();
  std::erase_if(head.fields, [](const Field& field) { return same_token(field.name, "Transfer-Encoding"); });
  if (!declares_length(block)) head.content_length.reset();
  if (ended) head.framing = {};
  return head;
}

tl::expected<Fields, Refusal> read_trailers(const Http2Block& block) {
  if (block.bytes > kMaxTrailerBytes + kMaxTrailerFields * kFieldOverhead) {
    return refused("http.trailers-too-large", 431, "the trailer section is larger than 8 KiB");
  }
  const auto lines = field_lines(block);
  if (!lines) return tl::unexpected(lines.error());
  BodyReader reader;
  reader.start({Framing::Kind::chunked, 0});
  const std::string text = "0\r\n" + *lines + "\r\n";
  const auto event = reader.feed(text);
  if (!event) return tl::unexpected(event.error());
  if (event->kind != ReadEvent::Kind::complete || event->consumed != text.size()) {
    return refused("http.ambiguous", 400, "two readers disagree on where the trailers end");
  }
  return reader.trailers();
}

void Http2Fields::add_end_to_end(const Fields& fields, std::string_view besides) {
  Fields travelling = fields;
  keep_end_to_end(travelling);
  for (auto& field : travelling) {
    if (!same_token(field.name, besides)) add(field.name, std::move(field.value));
  }
}

Http2Fields Http2Fields::request(const RequestHead& head) {
  Http2Fields block;
  block.add(":method", head.method);
  block.add(":scheme", std::string(to_string(head.scheme)));
  block.add(":authority",
            head.port == default_port(head.scheme) ? head.host : fmt::format("{}:{}", head.host, head.port));
  block.add(":path", head.path);
  block.add_end_to_end(head.fields, "Host");
  if (head.takes_trailers) block.add("te", "trailers");
  if (head.expects_continue) block.add("expect", "100-continue");
  if (head.framing.kind == Framing::Kind::length) block.add("content-length", std::to_string(head.framing.length));
  return block;
}

Http2Fields Http2Fields::response(const ResponseHead& head) {
  Http2Fields block;
  constexpr int kSwitchingProtocols = 101;  // which HTTP/2 does not have (RFC 8441 section 5)
  block.add(":status", head.status == kSwitchingProtocols ? "200" : std::to_string(head.status));
  block.add_end_to_end(head.fields, "Content-Length");
  // RFC 9110 section 8.6 forbids it in 1xx and 204.
  const bool may_declare = head.status >= 200 && head.status != 204;
  if (head.framing.kind == Framing::Kind::length) {
    block.add("content-length", std::to_string(head.framing.length));
  } else if (head.framing.kind == Framing::Kind::none && may_declare && head.content_length) {
    block.add("content-length", std::to_string(*head.content_length));
  }
  return block;
}

Http2Fields Http2Fields::trailers(const Fields& trailers) {
  Http2Fields block;
  block.add_end_to_end(trailers, "Host");
  return block;
}

Http2Fields Http2Fields::denial(const Denial& denial, size_t body_bytes) {
  Http2Fields block;
  block.add(":status", std::to_string(denial.status));
  for (auto& field : denial_fields(denial)) block.add(field.name, std::move(field.value));
  block.add("content-length", std::to_string(body_bytes));
  return block;
}

Http2Fields Http2Fields::grpc_denial(const Denial& denial) {
  Http2Fields block;
  block.add(":status", "200");
  for (auto& field : grpc_denial_head(denial)) block.add(field.name, std::move(field.value));
  return block;
}

std::vector<nghttp2_nv> Http2Fields::view() const {
  std::vector<nghttp2_nv> view;
  view.reserve(fields_.size());
  const auto bytes = [](const std::string& text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  for (const Field& field : fields_) {
    const uint8_t flags = is_sensitive(field.name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    view.push_back({bytes(field.name), bytes(field.value), field.name.size(), field.value.size(), flags});
  }
  return view;
}

}  // namespace gatehouse::proxy
