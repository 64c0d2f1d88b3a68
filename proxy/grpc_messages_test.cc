#include "proxy/grpc_messages.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;

// "3 abc", "packed 3 abc"; a refusal's id; "..." when it ends within a message.
std::vector<std::string> read(std::string_view wire, size_t piece, std::string_view encoding = "gzip") {
  GrpcMessageReader reader(encoding);
  std::vector<std::string> all;
  std::string message, input;
  for (size_t at = 0;;) {
    const auto event = reader.next(input);
    if (!event) {
      all.emplace_back(event.error().id);
      return all;
    }
    message += event->bytes;
    input.erase(0, event->consumed);
    if (event->kind == GrpcMessageReader::Event::Kind::message) {
      all.push_back(
          fmt::format("{}{} {}", reader.compressed() ? "packed " : "", reader.length(), std::exchange(message, {})));
    }
    if (event->kind != GrpcMessageReader::Event::Kind::need_more) continue;
    EXPECT_TRUE(input.empty());
    if (at >= wire.size()) break;
    input = wire.substr(at, piece);
    at += piece;
  }
  if (!reader.between()) all.emplace_back("...");
  return all;
}

TEST(GrpcMessages, AreReadHoweverTheyAreCut) {
  const std::string wire = GrpcMessageReader::prefix(false, 3) + "abc" + GrpcMessageReader::prefix(true, 0) +
                           GrpcMessageReader::prefix(true, 300) + std::string(300, 'x');
  for (size_t piece = 1; piece <= wire.size(); ++piece) {
    EXPECT_THAT(read(wire, piece), ElementsAre("3 abc", "packed 0 ", "packed 300 " + std::string(300, 'x'))) << piece;
  }
}

TEST(GrpcMessages, AreRefusedWhereTheyCannotBeTold) {
  const struct {
    std::string wire;
    const char* encoding;
    std::vector<std::string> outcome;
  } cases[] = {{std::string("\2\0\0\0\1x", 6), "gzip", {"grpc.malformed"}},
               {"\x80", "gzip", {"grpc.malformed"}},
               {GrpcMessageReader::prefix(true, 1), "", {"grpc.malformed"}},
               {GrpcMessageReader::prefix(true, 1), "identity", {"grpc.malformed"}},
               {GrpcMessageReader::prefix(false, 0) + "{", "", {"0 ", "grpc.malformed"}},
               {GrpcMessageReader::prefix(false, 0xffffffff) + "abc", "", {"..."}},
               {std::string("\0\0", 2), "", {"..."}},
               {"", "", {}}};
  for (const auto& one : cases) EXPECT_EQ(read(one.wire, 1, one.encoding), one.outcome) << one.wire;
}

TEST(GrpcMessages, AreExpectedByHttp2ContentType) {
  const struct {
    const char* type;
    bool grpc;
  } cases[] = {{"application/grpc", true},      {"application/grpc+proto", true}, {"Application/gRPC; a=b", true},
               {"application/grpc-web", false}, {"application/grpcx", false},     {"application/json", false}};
  for (const auto& one : cases) {
    RequestHead head;
    head.method = "POST";
    head.http2 = true;
    head.fields = {{"content-type", one.type}};
    EXPECT_EQ(is_grpc(head), one.grpc) << one.type;
    head.fields.push_back({"content-encoding", "gzip"});
    EXPECT_FALSE(is_grpc(head)) << one.type;
    head.fields.pop_back();
    head.http2 = false;
    EXPECT_FALSE(is_grpc(head)) << one.type;
  }
}

}  // namespace
}  // namespace gatehouse::proxy
