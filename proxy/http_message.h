// HTTP/1.1 messages as the proxy understands them, and how they are written again. Nothing the guest or an upstream
// sent is ever forwarded as raw bytes: a head is parsed, judged and serialized anew (RFC 9112, RFC 9110 section 7.6.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::proxy {

inline constexpr size_t kMaxStartLineBytes = 8 << 10;    // without its CRLF
inline constexpr size_t kMaxHeaderLineBytes = 16 << 10;  // one field line, without its CRLF
inline constexpr size_t kMaxHeadBytes = 64 << 10;        // start line and all field lines, with every CRLF
inline constexpr size_t kMaxHeaderFields = 128;
inline constexpr size_t kMaxTrailerBytes = 8 << 10;
inline constexpr size_t kMaxTrailerFields = 32;
inline constexpr size_t kMaxChunkLineBytes = 256;  // chunk size with its extensions, without its CRLF
inline constexpr size_t kMaxHostBytes = 253;       // RFC 1035 section 2.3.4, as text

// Why a message is not accepted. `id` is stable ("http.content-length-twice") and names the rule of a denial; `reason`
// is plain words and repeats nothing the peer sent.
struct Refusal {
  std::string_view id;  // a literal
  int status = 400;     // what to answer: 400, 414, 417, 431, 501 or 505 for requests, 502 for responses
  std::string reason;
};

struct Field {
  std::string name;   // as sent
  std::string value;  // without surrounding whitespace
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;  // in the order sent

// ASCII case-insensitive equality, for field names and tokens.
bool same_token(std::string_view a, std::string_view b);
// As same_token, for field names as CGI and its descendants see them, which take '_' for '-'.
bool same_cgi_name(std::string_view name, std::string_view known);
std::string lower_case(std::string_view text);  // ASCII letters only
// The first field of that name, or null.
const Field* find_field(const Fields& fields, std::string_view name);
// Whether a field of that name lists `token` ("Connection: keep-alive, Upgrade").
bool lists_token(const Fields& fields, std::string_view name, std::string_view token);

// The values of all fields of that name (as same_cgi_name) as the one list they are (RFC 9110 section 5.3).
std::string joined_values(const Fields& fields, std::string_view name);
// Leaves only the fields that travel on with the message: the hop-by-hop ones (RFC 9110 section 7.6.1) are dropped, and
// those that only this proxy may say.
void keep_end_to_end(Fields& fields);

// How the end of a message body is found (RFC 9112 section 6.3).
struct Framing {
  enum class Kind { none, length, chunked, until_close };
  Kind kind = Kind::none;
  uint64_t length = 0;  // bytes, with Kind::length only
  bool operator==(const Framing&) const = default;
};

enum class Scheme { http, https };
std::string_view to_string(Scheme scheme);
uint16_t default_port(Scheme scheme);

// A WebSocket that a request opens (websocket_opening.h), which is then of scheme ws or wss.
struct WebSocketOffer {
  std::string key;         // what the upstream is asked with
  std::string accept;      // what the guest's own key is answered with; empty by HTTP/2, which has none
  bool deflate = false;    // permessage-deflate is spoken with the guest, and offered to the upstream
  std::string extensions;  // the answer to the guest's offers; may be empty
};

struct RequestHead {
  enum class Form { origin, absolute, authority };

  std::string method;  // upper case, one that llhttp knows
  std::string target;  // as sent
  Form form = Form::origin;
  Scheme scheme = Scheme::http;  // of the connection the request came by; an absolute-form target must agree
  // From the target (absolute, authority) or else Host: lower case, no final dot, a DNS name, a dotted quad or a
  // bracketed IPv6 address in canonical form.
  std::string host;
  uint16_t port = 0;
  std::string path;  // origin form with query, never empty; empty for CONNECT
  Fields fields;
  int minor_version = 1;          // HTTP/1.x
  Framing framing;                // none, length (possibly 0) or chunked
  bool keep_alive = true;         // another request may follow on this connection
  bool expects_continue = false;  // Expect: 100-continue
  bool wants_upgrade = false;     // Upgrade, named by Connection; `Upgrade` itself is in fields. Or extended_connect
  bool extended_connect = false;  // by HTTP/2, for a WebSocket (RFC 8441): it stands here as the GET of HTTP/1.1
  bool http2 = false;             // came by HTTP/2
  bool takes_trailers = false;    // TE: trailers
  std::optional<WebSocketOffer> websocket;
};

bool has_body(const RequestHead& head);

struct ResponseHead {
  int status = 0;      // 100 to 599
  std::string reason;  // may be empty
  Fields fields;
  int minor_version = 1;
  Framing framing;  // what follows on the wire, after RFC 9112 section 6.3: none for HEAD, 1xx, 204, 304, CONNECT 2xx
  std::optional<uint64_t> content_length;  // as declared, also where no body follows (HEAD, 304)
  bool keep_alive = true;                  // the connection can carry another exchange once this message is complete
};

// The head to send upstream: origin form, Host made from host and port, hop-by-hop fields (Connection and what it
// names, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade) dropped, framing written from head.framing. With
// `close` it says "Connection: close". Expect goes along where it counts (expects_continue): its answer comes from
// upstream. `head` is not a CONNECT.
std::string serialize_request_head(const RequestHead& head, bool close);

// How to frame towards the guest a response to `request`: until_close becomes chunked for an HTTP/1.1 guest, chunked
// becomes until_close for an HTTP/1.0 one.
Framing framing_for_guest(const RequestHead& request, const ResponseHead& response);

// The head to send to the guest, hop-by-hop fields dropped, with `framing` (see framing_for_guest). The caller sets
// `close` when the guest's connection ends after this message; it must with until_close. For a response without body
// (HEAD, 304) the declared Content-Length is kept.
std::string serialize_response_head(const ResponseHead& head, const Framing& framing, bool close);

// What a client that expects it waits for before it sends its body.
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// "HTTP/1.1 103 Early Hints" and other interim responses (1xx except 101), fields included.
std::string serialize_interim_head(const ResponseHead& head);
// The 101 that opens a WebSocket, after which there is no HTTP any more on the connection.
std::string serialize_websocket_head(const ResponseHead& head);

// One chunk of a chunked body: `bytes` must not be empty (that would end the body). The three pieces are size line,
// bytes, CRLF; chunk_prefix gives the first so that a large body need not be copied.
std::string chunk_prefix(size_t size);
inline constexpr std::string_view kChunkSuffix = "\r\n";
void append_chunk(std::string& out, std::string_view bytes);
// The last chunk and the trailer section, if any.
std::string serialize_last_chunk(const Fields& trailers);

}  // namespace gatehouse::proxy
