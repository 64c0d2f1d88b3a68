#include "proxy/client_hello.h"

#include <gmock/gmock.h>

#include "proxy/test_client_hello.h"
#include "proxy/tls_session.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

TEST(ClientHello, OfARealClientIsReadHoweverItIsCut) {
  const auto context = *TlsClientContext::create("");
  const auto client = TlsSession::connect(*context, "pin.test.example", 443, true);
  ASSERT_TRUE(client);
  std::string plain, wire;
  ASSERT_TRUE((*client)->receive("", plain, wire));
  for (size_t size = 0; size < wire.size(); ++size) {
    const auto part = read_client_hello(std::string_view(wire).substr(0, size));
    ASSERT_TRUE(part) << size << ": " << part.error().message();
    ASSERT_FALSE(*part) << size;
  }
  const auto hello = read_client_hello(wire);
  ASSERT_TRUE(hello && *hello);
  EXPECT_EQ((*hello)->server_name, "pin.test.example");
  EXPECT_FALSE((*hello)->encrypted);
}

TEST(ClientHello, MayBeSpreadOverAFewRecords) {
  const auto message = hello_message({{kSniExtension, sni_body("PIN.test.example.")}});
  for (const size_t records : {1, 2, 3, 4}) {
    const auto hello = read_client_hello(in_records(message, message.size() / records + 1));
    ASSERT_TRUE(hello && *hello) << records;
    EXPECT_EQ((*hello)->server_name, "pin.test.example");
  }
}

TEST(ClientHello, MayNameNobody) {
  const auto hello = read_client_hello(in_records(hello_message({{43, "\x02\x03\x04"}})));
  ASSERT_TRUE(hello && *hello);
  EXPECT_EQ((*hello)->server_name, "");
}

TEST(ClientHello, TellsThatAnotherMayBeHiddenInIt) {
  const auto ech = read_client_hello(hello_with_ech("pin.test.example"));
  ASSERT_TRUE(ech && *ech);
  EXPECT_TRUE((*ech)->encrypted);
  EXPECT_EQ((*ech)->server_name, "pin.test.example");
  const auto esni = read_client_hello(in_records(hello_message({{0xffce, "x"}})));
  ASSERT_TRUE(esni && *esni);
  EXPECT_TRUE((*esni)->encrypted);
}

TEST(ClientHello, IsRefusedWhenItIsAnythingElse) {
  const auto good = hello_message({{kSniExtension, sni_body("a.example")}});
  const auto record = [](std::string_view message) { return in_records(message); };
  std::string longer = good;
  longer[3] = static_cast<char>(longer[3] + 1);
  std::string shorter = good;
  shorter[3] = static_cast<char>(shorter[3] - 1);
  Extensions many;
  for (unsigned i = 0; i <= kMaxClientHelloExtensions; ++i) many.emplace_back(1000 + i, "");
  const std::string two_names =
      with_length(std::string(1, '\0') + with_length("a", 2) + std::string(1, '\0') + with_length("b", 2), 2);
  const struct {
    std::string bytes;
    const char* words;
  } cases[] = {
      {"GET / HTTP/1.1\r\n", "a record that is no handshake"},
      {"\x17", "a record that is no handshake"},
      {"\x16\x02", "a record of no known version"},
      {std::string("\x16\x03\x01\x00\x00", 5), "a record of 0 bytes"},
      {std::string("\x16\x03\x01\x40\x01", 5), "a record of 16385 bytes"},
      {record("\x02" + good.substr(1)), "no ClientHello"},
      {record(std::string("\x01\x00\x40\x00", 4)), "over the limit"},
      {in_records(good, 4), "in more than 4 records"},
      {record(good + good), "followed by something else in its record"},
      {record(shorter), "followed by something else in its record"},
      {record(longer) + "\x15\x03\x03", "a record that is no handshake"},
      {record(longer) + record("x"), "do not add up"},
      {record(hello_message({{kSniExtension, sni_body("a.example")}, {kSniExtension, sni_body("b.example")}})),
       "extension 0 is there twice"},
      {record(hello_message({{kSniExtension, two_names}})), "more than one name"},
      {record(hello_message({{kSniExtension, sni_body(std::string("a.example\0.evil", 15))}})), "not a host name"},
      {record(hello_message({{kSniExtension, sni_body("")}})), "empty or too long"},
      {record(hello_message({{kSniExtension, ""}})), "malformed SNI"},
      {record(hello_message(many)), "more than 64 extensions"},
  };
  for (const auto& [bytes, words] : cases) {
    const auto hello = read_client_hello(bytes);
    ASSERT_FALSE(hello) << words;
    EXPECT_THAT(hello.error().message(), HasSubstr(words));
  }
}

}  // namespace
}  // namespace gatehouse::proxy
