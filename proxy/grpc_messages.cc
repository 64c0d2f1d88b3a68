#include "proxy/grpc_messages.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {
constexpr std::string_view kType = "application/grpc";
}  // namespace

bool is_grpc(const RequestHead& head) {
  if (!head.http2 || head.method != "POST" || find_field(head.fields, "Content-Encoding") != nullptr) return false;
  const std::string type = lower_case(joined_values(head.fields, "Content-Type"));
  if (!type.starts_with(kType)) return false;
  const std::string_view rest = std::string_view(type).substr(kType.size());
  return rest.empty() || rest[0] == '+' || rest[0] == ';' || rest[0] == ' ';
}

GrpcMessageReader::GrpcMessageReader(std::string_view encoding)
    : may_be_compressed_(!encoding.empty() && encoding != "identity") {}

tl::expected<GrpcMessageReader::Event, Refusal> GrpcMessageReader::next(std::string_view input) {
  if (!within_) {
    const size_t taken = std::min(input.size(), kGrpcPrefixBytes - have_);
    input.copy(prefix_.data() + have_, taken);
    have_ += taken;
    const auto flag = static_cast<unsigned char>(prefix_[0]);
    if (have_ > 0 && flag > 1) {
      return tl::unexpected(Refusal{"grpc.malformed", 400, "what should be a gRPC message begins with no proper flag"});
    }
    if (have_ > 0 && flag == 1 && !may_be_compressed_) {
      return tl::unexpected(Refusal{"grpc.malformed", 400,
                                    "a gRPC message says that it is compressed, and the request does not say how"});
    }
    if (have_ < kGrpcPrefixBytes) return Event{Event::Kind::need_more, taken};
    length_ = 0;
    for (size_t i = 1; i < kGrpcPrefixBytes; ++i) length_ = length_ << 8 | static_cast<unsigned char>(prefix_[i]);
    left_ = length_;
    have_ = 0;
    within_ = true;
    return Event{Event::Kind::begin, taken};
  }
  if (left_ == 0) {
    within_ = false;
    return Event{Event::Kind::message, 0};
  }
  if (input.empty()) return Event{};
  const auto bytes = input.substr(0, left_);
  left_ -= static_cast<uint32_t>(bytes.size());
  return Event{Event::Kind::data, bytes.size(), bytes};
}

std::string GrpcMessageReader::prefix(bool compressed, uint32_t length) {
  std::string out(1, compressed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift & 0xff);
  return out;
}

}  // namespace gatehouse::proxy
