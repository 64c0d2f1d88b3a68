#include "proxy/tls_session.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstring>

#include "common/base/fd.h"
#include "common/tls/test_certificates.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

// A file that is gone with its owner: OpenSSL reads trusted roots from files only.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    const Fd file(::mkstemp(path_));
    EXPECT_TRUE(write_all(file.get(), content));
  }
  ~TemporaryFile() { ::unlink(path_); }
  const char* path() const { return path_; }

 private:
  char path_[32] = "/tmp/gatehouse-test-XXXXXX";
};

// What came of letting two sessions talk until both are silent.
struct Talk {
  Result<void> client;
  Result<void> server;
  std::string client_read;
  std::string server_read;
};

Talk talk(TlsSession& client, TlsSession& server) {
  Talk result;
  std::string to_server, to_client;
  result.client = client.receive("", result.client_read, to_server);
  while ((!to_server.empty() && result.server) || (!to_client.empty() && result.client)) {
    const auto for_server = std::exchange(to_server, "");
    if (!for_server.empty() && result.server) result.server = server.receive(for_server, result.server_read, to_client);
    const auto for_client = std::exchange(to_client, "");
    if (!for_client.empty() && result.client) result.client = client.receive(for_client, result.client_read, to_server);
  }
  return result;
}

class TlsSessionTest : public testing::Test {
 protected:
  CertificateAuthority authority_ = *CertificateAuthority::create("test");
  tls::KeyPtr key_ = *tls::create_p256_key();
  LeafCache leaves_{authority_, *key_};
  TicketKeys tickets_ = *TicketKeys::create();
  std::unique_ptr<TlsServerContext> server_context_ = *TlsServerContext::create(leaves_, authority_, tickets_);
  TemporaryFile roots_{*authority_.certificate_pem()};
  std::unique_ptr<TlsClientContext> client_context_ = *TlsClientContext::create(roots_.path());

  std::unique_ptr<TlsSession> server(std::string_view fallback = "fallback.test") {
    return *TlsSession::accept(*server_context_, fallback);
  }
  std::unique_ptr<TlsSession> client(const std::string& host) {
    return *TlsSession::connect(*client_context_, host, 443);
  }

  // A server whose certificate is for `certified`, whatever name the client asks for.
  std::unique_ptr<TlsSession> server_certified_for(const std::string& certified, long not_after = 3600) {
    auto session = server(certified);
    SSL_CTX* context = server_context_->context();
    SSL_CTX_set_client_hello_cb(context, nullptr, nullptr);
    tls::CertificatePtr leaf(X509_dup(*leaves_.certificate_for(certified, std::chrono::system_clock::now())));
    EXPECT_TRUE(tls::set_validity(*leaf, 7200, not_after));
    EXPECT_NE(X509_sign(leaf.get(), &authority_.key(), EVP_sha256()), 0);
    EXPECT_EQ(SSL_CTX_use_certificate(context, leaf.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key_.get()), 1);
    return *TlsSession::accept(*server_context_, certified);
  }
};

TEST_F(TlsSessionTest, CarriesBytesBothWays) {
  const auto c = client("api.example.com");
  const auto s = server();
  auto first = talk(*c, *s);
  ASSERT_TRUE(first.client) << first.client.error().message();
  ASSERT_TRUE(c->established() && s->established());
  std::string wire, plain;
  ASSERT_TRUE(c->send("GET", wire));
  std::string answer;
  ASSERT_TRUE(s->receive(wire, plain, answer));
  EXPECT_EQ(plain, "GET");
  wire.clear();
  const std::string large(300'000, 'x');
  ASSERT_TRUE(s->send(large, wire));
  plain.clear();
  ASSERT_TRUE(c->receive(wire, plain, answer));
  EXPECT_EQ(plain, large);
}

TEST_F(TlsSessionTest, ReadsTheSniAndServesALeafForIt) {
  const auto c = client("api.example.com");
  const auto s = server();
  ASSERT_TRUE(talk(*c, *s).client);
  EXPECT_EQ(s->sni(), "api.example.com");
}

TEST_F(TlsSessionTest, ServesALeafForTheFallbackNameWithoutSni) {
  const auto c = client("8.8.8.8");  // an address is never sent as SNI
  const auto s = server("8.8.8.8");
  const auto result = talk(*c, *s);
  ASSERT_TRUE(result.client) << result.client.error().message();
  EXPECT_EQ(s->sni(), "");
}

TEST_F(TlsSessionTest, AcceptsAHandshakeThatComesByteByByte) {
  const auto c = client("api.example.com");
  const auto s = server();
  std::string to_server, to_client, plain;
  ASSERT_TRUE(c->receive("", plain, to_server));
  for (const char byte : to_server) ASSERT_TRUE(s->receive({&byte, 1}, plain, to_client));
  EXPECT_FALSE(to_client.empty());
}

TEST_F(TlsSessionTest, ResumesWithTheSameHostOnly) {
  const auto first = client("a.test");
  talk(*first, *server());
  const auto again = client("a.test");
  const auto again_server = server();
  talk(*again, *again_server);
  EXPECT_TRUE(again->resumed() && again_server->resumed());
  const auto other = client("b.test");
  talk(*other, *server());
  EXPECT_FALSE(other->resumed());
}

TEST_F(TlsSessionTest, ResumesAfterAConnectionThatWasDroppedButNotAfterOneThatBroke) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(client_context_->context(), version);
    const auto connect = [&](bool break_it) {
      const auto c = client("resumed.test");
      const auto s = server();
      EXPECT_TRUE(talk(*c, *s).client);
      std::string plain, wire;
      if (break_it) {
        EXPECT_FALSE(c->receive("\x17\x03\x03" + std::string("\0\x20", 2) + std::string(32, 'x'), plain, wire));
      }
      return c->resumed();
    };
    EXPECT_FALSE(connect(false)) << version;
    EXPECT_TRUE(connect(false)) << version;
    EXPECT_TRUE(connect(true)) << version;
    EXPECT_FALSE(connect(false)) << version;
    client_context_ = *TlsClientContext::create(roots_.path());
  }
}

TEST_F(TlsSessionTest, NeverTakesATicketUnderAnotherName) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(client_context_->context(), version);
    talk(*client("a.test"), *server());
    auto stolen = client_context_->recall("a.test:443");
    ASSERT_TRUE(stolen);
    client_context_->remember("b.test:443", std::move(stolen));
    const auto c = client("b.test");
    const auto s = server();
    talk(*c, *s);
    EXPECT_TRUE(s->established());
    EXPECT_FALSE(s->resumed());
    EXPECT_EQ(s->sni(), "b.test");
  }
}

TEST_F(TlsSessionTest, SaysWhyAnUpstreamsCertificateIsRefused) {
  const std::string failed = "certificate verification failed: ";
  {
    const auto s = server_certified_for("other.test");
    const auto c = client("api.test");
    EXPECT_EQ(talk(*c, *s).client.error().message(),
              failed + "hostname mismatch (it is for other.test, not for api.test)");
    EXPECT_TRUE(c->certificate_refused());
  }
  {
    const auto s = server_certified_for("api.test", -60);
    EXPECT_THAT(talk(*client("api.test"), *s).client.error().message(),
                testing::MatchesRegex(failed + "certificate has expired .it was valid until .* GMT."));
  }
}

TEST_F(TlsSessionTest, TakesNoPartialWildcard) {
  const auto s = server_certified_for("a*.test");
  EXPECT_THAT(talk(*client("api.test"), *s).client.error().message(), HasSubstr("hostname mismatch"));
}

TEST_F(TlsSessionTest, RefusesAnAuthorityItDoesNotKnow) {
  const auto stranger = *CertificateAuthority::create("stranger");
  LeafCache leaves(stranger, *key_);
  const auto context = *TlsServerContext::create(leaves, stranger, tickets_);
  const auto s = *TlsSession::accept(*context, "api.test");
  const auto result = talk(*client("api.test"), *s);
  EXPECT_EQ(result.client.error().message(),
            "certificate verification failed: unable to get local issuer certificate (its issuer 'O = Gatehouse, CN = "
            "Gatehouse session stranger' is not trusted here)");
  EXPECT_THAT(result.server.error().message(), HasSubstr("unknown ca"));
}

TEST_F(TlsSessionTest, KnowsCloseNotifyFromACutConnection) {
  const auto c = client("api.test");
  const auto s = server();
  talk(*c, *s);
  std::string wire, plain, answer;
  s->close(wire);
  EXPECT_FALSE(c->peer_closed());
  ASSERT_TRUE(c->receive(wire, plain, answer));
  EXPECT_TRUE(c->peer_closed());
}

TEST_F(TlsSessionTest, EndsOnGarbageWithAnError) {
  const auto s = server();
  std::string plain, wire;
  EXPECT_FALSE(s->receive("\x16\x03\x01garbage garbage", plain, wire) &&
               s->receive(std::string(5000, 'x'), plain, wire));
}

TEST_F(TlsSessionTest, AgreesWithTheClientOnTheVersionOfHttp) {
  for (const auto& [offered, agreed] : {std::pair{"\x02h2\x08http/1.1", "h2"}, std::pair{"\x08http/1.1\x02h2", "h2"},
                                        std::pair{"\x02h2", "h2"}, std::pair{"\x08http/1.1", "http/1.1"}}) {
    SSL_CTX_set_alpn_protos(client_context_->context(), reinterpret_cast<const unsigned char*>(offered),
                            static_cast<unsigned>(std::strlen(offered)));
    const auto c = client("api.test");
    const auto s = server();
    EXPECT_TRUE(talk(*c, *s).client);
    EXPECT_EQ(s->alpn(), agreed);
    EXPECT_EQ(c->alpn(), agreed);
  }
}

TEST_F(TlsSessionTest, RefusesAClientThatSpeaksNoHttpItKnows) {
  SSL_CTX_set_alpn_protos(client_context_->context(), reinterpret_cast<const unsigned char*>("\x02h3"), 3);
  const auto h3 = client("api.test");
  EXPECT_THAT(talk(*h3, *server()).client.error().message(), HasSubstr("no application protocol"));
}

// As browsers greet every server (RFC 9849 section 6.2). Which name is meant by one that is no noise we could not know;
// what counts is the one in the open.
TEST_F(TlsSessionTest, TakesAClientThatMaySendAnEncryptedHelloByTheNameInTheOpen) {
  constexpr unsigned kEncryptedClientHello = 0xfe0d;
  const auto add = [](SSL*, unsigned, unsigned, const unsigned char** out, size_t* size, X509*, size_t, int*, void*) {
    static const unsigned char noise[200] = {};
    *out = noise;
    *size = sizeof noise;
    return 1;
  };
  ASSERT_EQ(SSL_CTX_add_custom_ext(client_context_->context(), kEncryptedClientHello, SSL_EXT_CLIENT_HELLO, add,
                                   nullptr, nullptr, nullptr, nullptr),
            1);
  const auto a = client("api.test.example");
  const auto b = server();
  const auto result = talk(*a, *b);
  ASSERT_TRUE(result.client) << result.client.error().message();
  EXPECT_TRUE(a->established() && b->established());
  EXPECT_EQ(b->sni(), "api.test.example");
}

TEST_F(TlsSessionTest, ShowsACertificateToAServerThatAsksAndResumesNothingAsAnother) {
  SSL_CTX_set_verify(server_context_->context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int, X509_STORE_CTX*) { return 1; });
  const auto us = [](EVP_PKEY& key) {
    return *tls::certified_key_from_pem(tls::certificate_of(key), tls::pem_of(key));
  };
  const tls::KeyPtr other_key = *tls::create_p256_key();
  const auto one = us(*key_);
  const auto other = us(*other_key);
  const auto connect = [&](const tls::CertifiedKey* identity) {
    const auto a = *TlsSession::connect(*client_context_, "api.test.example", 443, false, identity);
    const auto b = server();
    const auto result = talk(*a, *b);
    if (!result.server) return std::string("refused");
    return std::string(a->resumed() ? "resumed" : "shown");
  };
  EXPECT_EQ(connect(nullptr), "refused");
  EXPECT_EQ(connect(&one), "shown");
  EXPECT_EQ(connect(&one), "resumed");
  EXPECT_EQ(connect(&other), "shown");
  EXPECT_EQ(connect(nullptr), "refused") << "no session of one who was known";
}

TEST(TlsClientContext, NamesARootFileThatCannotBeRead) {
  const auto context = TlsClientContext::create("/nonexistent.pem");
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message(), HasSubstr("--upstream-ca /nonexistent.pem"));
}

std::string server_name(std::string_view name, char type = 0) {
  const auto u16 = [](size_t n) { return std::string{static_cast<char>(n >> 8), static_cast<char>(n)}; };
  return u16(name.size() + 3) + type + u16(name.size()) + std::string(name);
}

TEST(ReadServerName, FoldsCaseAndFinalDot) {
  EXPECT_EQ(*read_server_name(server_name("API.Example.COM.")), "api.example.com");
}

TEST(ReadServerName, RefusesWhatIsNotOneHostName) {
  const std::string two = std::string("\0\x08\0\0\1a\0\0\1b", 10);
  for (const std::string& extension :
       {std::string(), server_name(""), server_name("."), server_name("a b"), server_name(std::string_view("a\0b", 3)),
        server_name("a.test", 1), server_name("a.test") + "x", two, server_name(std::string(254, 'a')),
        server_name("[::1]"), server_name("*.test")}) {
    EXPECT_FALSE(read_server_name(extension));
  }
}

}  // namespace
}  // namespace gatehouse::proxy
