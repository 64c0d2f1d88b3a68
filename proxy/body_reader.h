// Finds the end of a body and decodes chunked coding (RFC 9112 section 7.1), handing bytes on without copying them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/head_buffer.h"
#include "proxy/http_message.h"
#include "proxy/read_event.h"

namespace gatehouse::proxy {

class BodyReader {
 public:
  void start(const Framing& framing);

  // Consumes up to the end of one piece of the body (`body`), of the whole of it with its trailers (`complete`), or all
  // the input (`need_more`). Refusals have status 400.
  tl::expected<ReadEvent, Refusal> feed(std::string_view input);

  const Framing& framing() const { return framing_; }
  const Fields& trailers() const { return trailers_; }

 private:
  enum class Chunk { size, data, data_end, trailers, complete };
  tl::expected<ReadEvent, Refusal> feed_chunked(std::string_view input);
  tl::expected<size_t, Refusal> read_size_line(std::string_view input);
  tl::expected<size_t, Refusal> read_data_end(std::string_view input);
  tl::expected<size_t, Refusal> read_trailers(std::string_view input);

  Framing framing_;
  uint64_t left_ = 0;  // of the body (length) or of the current chunk
  Chunk chunk_ = Chunk::size;
  std::string line_;  // the size line, or the CRLF after a chunk, as far as it has come
  HeadBuffer trailer_buffer_{HeadBuffer::Start::trailer};
  Fields trailers_;
};

}  // namespace gatehouse::proxy
