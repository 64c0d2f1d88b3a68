#include "proxy/websocket/handshake.h"

#include <gtest/gtest.h>

namespace gatehouse::proxy {
namespace {

TEST(WebSocketHandshake, AnswersAKeyAsTheStandardsExample) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, TakesSixteenBytesInBase64ForAKey) {
  EXPECT_TRUE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  EXPECT_TRUE(is_websocket_key(random_websocket_key()));
  EXPECT_NE(random_websocket_key(), random_websocket_key());
  for (const char* bad : {"", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j!Q==",
                          "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZQ==="}) {
    EXPECT_FALSE(is_websocket_key(bad)) << bad;
  }
}

constexpr const char* kBase = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

TEST(WebSocketHandshake, TakesTheFirstOfferItCan) {
  const struct {
    const char* offers;
    std::string answer;
  } cases[] = {
      {"", ""},
      {"permessage-deflate", kBase},
      {"permessage-deflate; client_max_window_bits", kBase},
      {"permessage-deflate;client_max_window_bits=10 ; server_no_context_takeover", kBase},
      {"permessage-deflate; server_max_window_bits=10", kBase + std::string("; server_max_window_bits=10")},
      {"permessage-deflate; server_max_window_bits=\"12\"", kBase + std::string("; server_max_window_bits=12")},
      {"permessage-bzip2, permessage-deflate", kBase},
      {"permessage-deflate; mode=9, permessage-deflate", kBase},
      {"permessage-deflate; mode=9", ""},
      {"permessage-deflate; server_max_window_bits=16", ""},
      {"permessage-deflate; server_max_window_bits=08", ""},
      {"permessage-deflate; server_max_window_bits", ""},
      {"permessage-deflate; server_no_context_takeover=1", ""},
      {"permessage-deflate; client_max_window_bits; client_max_window_bits", ""},
      {"permessage-deflate;", ""},
      {"x-webkit-deflate-frame", ""},
  };
  for (const auto& one : cases) {
    const auto answer = answer_extensions(one.offers);
    EXPECT_EQ(answer.answer, one.answer) << one.offers;
    EXPECT_EQ(answer.agreement, (DeflateAgreement{!one.answer.empty(), false})) << one.offers;
  }
}

TEST(WebSocketHandshake, TakesNoAnswerToWhatItHasNotOffered) {
  const struct {
    const char* answer;
    bool offered;
    std::optional<DeflateAgreement> agreement;
  } cases[] = {
      {"", true, DeflateAgreement{}},
      {"", false, DeflateAgreement{}},
      {"permessage-deflate", true, DeflateAgreement{true, true}},
      {"permessage-deflate; server_no_context_takeover", true, DeflateAgreement{true, false}},
      {"permessage-deflate; client_no_context_takeover; server_max_window_bits=9", true, DeflateAgreement{true, true}},
      {"permessage-deflate", false, std::nullopt},
      {"permessage-deflate; client_max_window_bits=10", true, std::nullopt},
      {"permessage-deflate; client_max_window_bits", true, std::nullopt},
      {"permessage-deflate, permessage-deflate", true, std::nullopt},
      {"permessage-deflate; x", true, std::nullopt},
      {"x", true, std::nullopt},
  };
  for (const auto& one : cases) EXPECT_EQ(take_extensions(one.answer, one.offered), one.agreement) << one.answer;
}

}  // namespace
}  // namespace gatehouse::proxy
