// HTTP/2 header blocks (RFC 9113 section 8) and the messages they are: both legs' translation. What comes in is written
// out as HTTP/1.1 and read with the reader for that: whatever is refused there is refused here, and nothing can mean
// one thing in HTTP/2 and another behind it. Passive.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/denial.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

// One header block as it is decoded. What comes above the limits is dropped, and the block then refused.
struct Http2Block {
  std::string method, scheme, authority, path, status, protocol;  // pseudo-header fields
  Fields fields;
  size_t bytes = 0;        // names, values and 32 each (RFC 9113 section 10.5.1)
  bool too_large = false;  // above kMaxHeadBytes, or kMaxHeaderFields
  bool unsound = false;    // nghttp2 has left a field out

  void add(std::string_view name, std::string_view value);
};

// Ids as RequestReader's, besides "http2.field" (a name or value HTTP/1.1 cannot hold), "http2.connection-field",
// "http2.pseudo-field". `ended`: no body follows. An extended CONNECT for a WebSocket becomes the GET that would ask
// for it in HTTP/1.1; every other CONNECT is refused ("protocol.connect").
tl::expected<RequestHead, Refusal> read_request(const Http2Block& block, Scheme scheme, bool ended);
// Likewise; status 502. An interim response is one by its status.
tl::expected<ResponseHead, Refusal> read_response(const Http2Block& block, std::string_view method, bool ended);
// A trailer section, of either; under the limits of HTTP/1.1's.
tl::expected<Fields, Refusal> read_trailers(const Http2Block& block);

// A header block to send: lower-case names, nothing that concerns a connection.
class Http2Fields {
 public:
  static Http2Fields request(const RequestHead& head);
  static Http2Fields response(const ResponseHead& head);
  static Http2Fields trailers(const Fields& trailers);
  static Http2Fields denial(const Denial& denial, size_t body_bytes);
  static Http2Fields grpc_denial(const Denial& denial);

  // Valid as long as this object.
  std::vector<nghttp2_nv> view() const;

 private:
  void add(std::string_view name, std::string value) { fields_.push_back({lower_case(name), std::move(value)}); }
  void add_end_to_end(const Fields& fields, std::string_view besides);
  Fields fields_;
};

}  // namespace gatehouse::proxy
