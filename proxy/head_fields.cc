#include "proxy/head_fields.h"

#include <llhttp.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::proxy {

namespace {

tl::unexpected<Refusal> refused(std::string_view id, int status, std::string reason) {
  return tl::unexpected(Refusal{id, status, std::move(reason)});
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

tl::expected<uint64_t, Refusal> parse_content_length(std::string_view text) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || length > INT64_MAX) {
    return refused("http.content-length-malformed", 400, "Content-Length is not one plain number below 2^63");
  }
  return length;
}

// What llhttp understood.
struct Understood {
  std::string start;  // request target or reason phrase
  Fields fields;
  std::string name;
  std::string value;
  bool complete = false;
};

Understood& understood(llhttp_t* parser) { return *static_cast<Understood*>(parser->data); }

int on_start(llhttp_t* parser, const char* at, size_t length) {
  understood(parser).start.append(at, length);
  return 0;
}

const llhttp_settings_t& settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = on_start;
    made.on_status = on_start;
    made.on_header_field = [](llhttp_t* parser, const char* at, size_t length) {
      understood(parser).name.append(at, length);
      return 0;
    };
    made.on_header_value = [](llhttp_t* parser, const char* at, size_t length) {
      understood(parser).value.append(at, length);
      return 0;
    };
    made.on_header_value_complete = [](llhttp_t* parser) {
      Understood& so_far = understood(parser);
      so_far.fields.push_back({std::move(so_far.name), std::string(trim(so_far.value))});
      so_far.name.clear();
      so_far.value.clear();
      return 0;
    };
    made.on_headers_complete = [](llhttp_t* parser) {
      understood(parser).complete = true;
      return 2;  // stop here; the body is BodyReader's
    };
    return made;
  }();
  return kSettings;
}

// Runs llhttp over one head; on success `parser` tells method, status and version.
tl::expected<Understood, Refusal> read_with_llhttp(llhttp_type_t type, std::string_view bytes, llhttp_t& parser) {
  Understood result;
  llhttp_init(&parser, type, &settings());
  parser.data = &result;
  const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (error == HPE_INVALID_METHOD) {
    return refused("http.method-unknown", 501, "the request method is not one this proxy knows");
  }
  if (error != HPE_PAUSED_UPGRADE || !result.complete) {
    return refused("http.malformed", 400,
                   std::string("the head is not well-formed HTTP/1.1 (") + llhttp_errno_name(error) + ")");
  }
  if (llhttp_get_error_pos(&parser) != bytes.data() + bytes.size()) {
    return refused("http.ambiguous", 400, "two readers disagree on where the head ends");
  }
  return result;
}

tl::unexpected<Refusal> disagree() {
  return refused("http.ambiguous", 400, "two readers understand the head differently");
}

}  // namespace

Fields split_fields(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find("\r\n"), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      fields.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
    }
    bytes.remove_prefix(std::min(end + 2, bytes.size()));
  }
  return fields;
}

tl::expected<DeclaredFraming, Refusal> declared_framing(const Fields& fields, int minor_version) {
  DeclaredFraming declared;
  for (const Field& field : fields) {
    if (same_token(field.name, "Content-Length")) {
      if (declared.content_length) return refused("http.content-length-twice", 400, "Content-Length is given twice");
      if (field.value.find(',') != std::string::npos) {
        return refused("http.content-length-list", 400, "Content-Length is a list");
      }
      const auto length = parse_content_length(field.value);
      if (!length) return tl::unexpected(length.error());
      declared.content_length = *length;
    } else if (same_token(field.name, "Transfer-Encoding")) {
      if (declared.chunked) return refused("http.transfer-encoding-twice", 400, "Transfer-Encoding is given twice");
      if (!same_token(field.value, "chunked")) {
        // RFC 9112 section 6.3: where the last coding is another, there is no telling where the body ends.
        const auto last = std::string_view(field.value).substr(field.value.find_last_of(", \t") + 1);
        const int status = same_token(last, "chunked") ? 501 : 400;
        return refused("http.transfer-encoding-unknown", status, "Transfer-Encoding is not exactly \"chunked\"");
      }
      declared.chunked = true;
    }
  }
  if (declared.chunked && declared.content_length) {
    return refused("http.length-and-transfer-encoding", 400, "both Content-Length and Transfer-Encoding are given");
  }
  if (declared.chunked && minor_version == 0) {
    return refused("http.transfer-encoding-in-1.0", 400, "HTTP/1.0 has no Transfer-Encoding");
  }
  return declared;
}

bool wants_keep_alive(const Fields& fields, int minor_version) {
  return minor_version >= 1 && !lists_token(fields, "Connection", "close");
}

tl::expected<void, Refusal> confirm_request(std::string_view bytes, const RequestHead& head) {
  llhttp_t parser;
  const auto result = read_with_llhttp(HTTP_REQUEST, bytes, parser);
  if (!result) return tl::unexpected(result.error());
  const auto method = static_cast<llhttp_method_t>(llhttp_get_method(&parser));
  const bool same = llhttp_method_name(method) == head.method && result->start == head.target &&
                    llhttp_get_http_major(&parser) == 1 && llhttp_get_http_minor(&parser) == head.minor_version &&
                    result->fields == head.fields;
  if (!same) return disagree();
  return {};
}

tl::expected<void, Refusal> confirm_response(std::string_view bytes, const ResponseHead& head) {
  llhttp_t parser;
  const auto result = read_with_llhttp(HTTP_RESPONSE, bytes, parser);
  if (!result) return tl::unexpected(result.error());
  const bool same = llhttp_get_status_code(&parser) == head.status && result->start == head.reason &&
                    llhttp_get_http_major(&parser) == 1 && llhttp_get_http_minor(&parser) == head.minor_version &&
                    result->fields == head.fields;
  if (!same) return disagree();
  return {};
}

}  // namespace gatehouse::proxy
