// The messages within the body of a gRPC request ("gRPC over HTTP2", Length-Prefixed-Message): each a flag that says
// whether it is compressed, four bytes of length, and so many bytes. Passive.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

inline constexpr size_t kGrpcPrefixBytes = 5;

// Whether a request's body is of such messages: application/grpc, or application/grpc+proto and the like, by HTTP/2.
// Not grpc-web, which is another format and one-way; nor where all of the body is encoded besides.
bool is_grpc(const RequestHead& head);

class GrpcMessageReader {
 public:
  // `encoding` is the request's grpc-encoding, empty for none.
  explicit GrpcMessageReader(std::string_view encoding);

  struct Event {
    enum class Kind {
      need_more,  // all input is consumed
      begin,      // of a message: compressed(), length()
      data,       // `bytes` of it, never empty
      message,    // it is over
    };
    Kind kind = Kind::need_more;
    size_t consumed = 0;
    std::string_view bytes = {};  // of the input
  };
  // What comes next. Refused ("grpc.malformed"): a flag that is neither 0 nor 1, and one that says compressed where no
  // encoding was named.
  tl::expected<Event, Refusal> next(std::string_view input);

  bool compressed() const { return prefix_[0] != 0; }
  uint32_t length() const { return length_; }
  // Nothing of a next message has come.
  bool between() const { return !within_ && have_ == 0; }

  // The prefix of a message.
  static std::string prefix(bool compressed, uint32_t length);

 private:
  const bool may_be_compressed_;
  std::array<char, kGrpcPrefixBytes> prefix_{};
  size_t have_ = 0;  // of the prefix
  uint32_t length_ = 0;
  uint32_t left_ = 0;
  bool within_ = false;
};

}  // namespace gatehouse::proxy
