#include "proxy/websocket/message_reader.h"

#include <gmock/gmock.h>

#include "proxy/websocket/test_deflate.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Read {
  std::vector<std::string> messages;  // "text hello", "ping x"
  std::optional<WebSocketFault> fault;
};

Read read(std::string_view bytes, MessageReader::Options options, size_t piece = SIZE_MAX) {
  if (options.max_message == 0) options.max_message = 1 << 20;
  MessageReader reader(options);
  Read read;
  std::string message;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    auto input = bytes.substr(at, piece);
    for (;;) {
      const auto event = reader.next(input);
      if (!event) {
        read.fault = event.error();
        return read;
      }
      input.remove_prefix(event->consumed);
      if (event->kind == MessageReader::Event::Kind::need_more) break;
      if (event->kind == MessageReader::Event::Kind::data) {
        EXPECT_FALSE(event->bytes.empty());
        message += event->bytes;
      } else {
        const bool control = event->kind == MessageReader::Event::Kind::control;
        read.messages.push_back(std::string(to_string(event->opcode)) + " " +
                                (control ? std::string(event->bytes) : std::exchange(message, {})));
      }
    }
  }
  return read;
}

std::string frame(int first, std::string_view payload) {
  std::string out;
  FrameHead head{.length = payload.size(), .key = MaskKey{'\x12', '\x34', '\x56', '\x78'}};
  append_frame_head(out, head);
  out[0] = static_cast<char>(first);
  const size_t start = out.size();
  out += payload;
  mask(out.data() + start, payload.size(), *head.key, 0);
  return out;
}

std::string server_frame(int first, std::string_view payload) {
  std::string out;
  append_frame_head(out, {.length = payload.size(), .key = {}});
  out[0] = static_cast<char>(first);
  return out.append(payload);
}

constexpr MessageReader::Options kClient{.sender = Sender::client};
constexpr MessageReader::Options kServer{.sender = Sender::server};
constexpr MessageReader::Options kDeflated{.sender = Sender::client, .deflate = true};

TEST(MessageReader, ReadsMessagesHoweverTheyAreCut) {
  const std::string bytes = frame(0x81, "hello") + frame(0x01, "a") + frame(0x89, "ping") + frame(0x00, "") +
                            frame(0x80, "b\xc3\xa9") + frame(0x82, std::string(300, '\xff')) + frame(0x81, "") +
                            frame(0x82, std::string(70'000, 'x')) + frame(0x8a, "") +
                            frame(0x88,
                                  "\x03\xe8"
                                  "bye");
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{5}, size_t{1000}, SIZE_MAX}) {
    const auto got = read(bytes, kClient, piece);
    EXPECT_FALSE(got.fault) << piece;
    EXPECT_THAT(got.messages,
                ElementsAre("text hello", "ping ping", "text ab\xc3\xa9", "binary " + std::string(300, '\xff'), "text ",
                            "binary " + std::string(70'000, 'x'), "pong ",
                            "close \x03\xe8"
                            "bye"))
        << piece;
  }
}

TEST(MessageReader, ReadsWhatAServerSendsWithoutMask) {
  const auto got = read(server_frame(0x81, "hello") + server_frame(0x88, ""), kServer, 3);
  EXPECT_FALSE(got.fault);
  EXPECT_THAT(got.messages, ElementsAre("text hello", "close "));
}

TEST(MessageReader, DecompressesMessagesHoweverTheyAreCut) {
  TestDeflate deflate;
  std::string long_text;
  for (int i = 0; i < 20'000; ++i) long_text += "line " + std::to_string(i % 100) + "\n";
  const std::string coded = deflate.message(long_text);
  const std::string bytes = frame(0xc1, deflate.message("hello")) + frame(0x41, coded.substr(0, 100)) +
                            frame(0x89, "p") + frame(0x80, coded.substr(100)) + frame(0x81, "plain") +
                            frame(0xc1, deflate.message("")) + frame(0xc1, std::string(1, '\0'));
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, SIZE_MAX}) {
    const auto got = read(bytes, kDeflated, piece);
    EXPECT_FALSE(got.fault) << piece << (got.fault ? got.fault->reason : "");
    EXPECT_THAT(got.messages, ElementsAre("text hello", "ping p", "text " + long_text, "text plain", "text ", "text "))
        << piece;
  }
}

TEST(MessageReader, FollowsReferencesToEarlierMessagesWhereTheyWereAgreedUpon) {
  TestDeflate deflate;
  const std::string text = "a text of some length that is said twice";
  std::string bytes = frame(0xc1, deflate.message(text));
  bytes += frame(0xc1, deflate.message(text, true));
  auto options = kDeflated;
  options.takeover = true;
  EXPECT_THAT(read(bytes, options).messages, ElementsAre("text " + text, "text " + text));
  EXPECT_EQ(read(bytes, kDeflated).fault->code, kCloseInvalidData);
}

struct Bad {
  const char* name;
  std::string bytes;
  MessageReader::Options options;
  uint16_t code;
};

TEST(MessageReader, RefusesWhatTheStandardForbids) {
  const std::string unmasked = server_frame(0x81, "a");
  const Bad cases[] = {
      {"a client without mask", unmasked, kClient, 1002},
      {"a server with mask", frame(0x81, "a"), kServer, 1002},
      {"reserved bit 2", frame(0xa1, "a"), kClient, 1002},
      {"reserved bit 3", frame(0x91, "a"), kClient, 1002},
      {"compression that was not agreed upon", frame(0xc1, "a"), kClient, 1002},
      {"opcode 3", frame(0x83, "a"), kClient, 1002},
      {"opcode 7", frame(0x87, "a"), kClient, 1002},
      {"opcode 11", frame(0x8b, "a"), kClient, 1002},
      {"opcode 15", frame(0x8f, "a"), kClient, 1002},
      {"a fragmented ping", frame(0x09, "a"), kClient, 1002},
      {"a compressed ping", frame(0xc9, "a"), kDeflated, 1002},
      {"a ping of 126 bytes", frame(0x89, std::string(126, 'a')), kClient, 1002},
      {"a length of 16 bits that needs 7", std::string("\x81\xfe\x00\x7d", 4) + "abcd", kClient, 1002},
      {"a length of 64 bits that needs 16", std::string("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", 10) + "abcd",
       kClient, 1002},
      {"a length over 2^63", std::string("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 10) + "abcd", kClient, 1002},
      {"a continuation of nothing", frame(0x80, "a"), kClient, 1002},
      {"a continuation after the end", frame(0x81, "a") + frame(0x80, "a"), kClient, 1002},
      {"a message within a message", frame(0x01, "a") + frame(0x81, "b"), kClient, 1002},
      {"a compressed continuation", frame(0x41, "a") + frame(0xc0, "b"), kDeflated, 1002},
      {"half a close code", frame(0x88, "\x03"), kClient, 1002},
      {"close code 999", frame(0x88, "\x03\xe7"), kClient, 1002},
      {"close code 1005", frame(0x88, "\x03\xed"), kClient, 1002},
      {"close code 2999", frame(0x88, "\x0b\xb7"), kClient, 1002},
      {"close code 5000", frame(0x88, "\x13\x88"), kClient, 1002},
      {"a close reason that is no UTF-8", frame(0x88, "\x03\xe8\xff"), kClient, 1007},
      {"something after a close", frame(0x88, "") + frame(0x81, "a"), kClient, 1002},
      {"text that is no UTF-8", frame(0x81, "a\xff"), kClient, 1007},
      {"half a character", frame(0x81, "a\xc3"), kClient, 1007},
      {"an overlong form", frame(0x81, "\xc0\x80"), kClient, 1007},
      {"a surrogate", frame(0x81, "\xed\xa0\x80"), kClient, 1007},
      {"above U+10FFFF", frame(0x81, "\xf4\x90\x80\x80"), kClient, 1007},
      {"what is no deflate", frame(0xc1, "\xff\xff\xff"), kDeflated, 1007},
  };
  for (const auto& bad : cases) {
    for (const size_t piece : {SIZE_MAX, size_t{1}}) {
      const auto got = read(bad.bytes, bad.options, piece);
      ASSERT_TRUE(got.fault) << bad.name;
      EXPECT_EQ(got.fault->code, bad.code) << bad.name << ": " << got.fault->reason;
    }
  }
}

TEST(MessageReader, RefusesAMessageThatIsTooLongBeforeItIsThere) {
  auto options = kDeflated;
  options.max_message = 1000;
  EXPECT_FALSE(read(frame(0x82, std::string(1000, 'a')), options).fault);
  std::string head;
  append_frame_head(head, {.opcode = Opcode::binary, .length = 1001, .key = MaskKey{}});
  EXPECT_EQ(read(head, options).fault->code, kCloseTooBig);
  EXPECT_EQ(read(frame(0x02, std::string(600, 'a')) + frame(0x80, std::string(401, 'a')), options).fault->code,
            kCloseTooBig);
  TestDeflate deflate;
  EXPECT_EQ(read(frame(0xc2, deflate.message(std::string(10 << 20, 'a'))), options).fault->code, kCloseTooBig);
}

TEST(Frame, IsWrittenInItsShortestForm) {
  const struct {
    size_t size;
    size_t head;
  } cases[] = {{0, 2}, {125, 2}, {126, 4}, {65'535, 4}, {65'536, 10}};
  for (const auto& one : cases) {
    for (const auto sender : {Sender::client, Sender::server}) {
      std::string out;
      append_frame(out, Opcode::binary, std::string(one.size, 'x'), sender);
      EXPECT_EQ(out.size(), one.size + one.head + (sender == Sender::client ? 4 : 0)) << one.size;
      const auto got = read(out, {.sender = sender});
      EXPECT_THAT(got.messages, ElementsAre("binary " + std::string(one.size, 'x'))) << one.size;
    }
  }
}

TEST(Frame, CutsACloseReasonBetweenCharacters) {
  std::string reason(kMaxCloseReasonBytes - 1, 'a');
  reason += "\xc3\xa9";
  const auto payload = close_payload(1008, reason);
  EXPECT_EQ(payload.size(), kMaxControlBytes - 1);
  EXPECT_FALSE(read(server_frame(0x88, payload), kServer).fault);
}

}  // namespace
}  // namespace gatehouse::proxy
