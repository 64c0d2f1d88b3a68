// pkt-lines, capabilities, push requests, advertisements and reports.
#include <gmock/gmock.h>

#include "common/codec/test_encoders.h"
#include "common/git/advertisement.h"
#include "common/git/lfs.h"
#include "common/git/plain_body.h"
#include "common/git/push_request.h"
#include "common/git/push_result.h"
#include "common/git/report.h"
#include "common/git/upload_pack.h"

namespace gatehouse::git {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kOld(40, '1');
const std::string kNew(40, '2');
const std::string kNone(40, '0');

std::string pkt(const std::string& payload) {
  std::string out;
  append_pkt(out, payload);
  return out;
}

std::string command(const std::string& old_id, const std::string& new_id, const std::string& ref,
                    const std::string& capabilities = "") {
  return pkt(fmt::format("{} {} {}", old_id, new_id, ref) + (capabilities.empty() ? "" : '\0' + capabilities));
}

// What a reader makes of a whole request, fed byte by byte: the error, or "".
std::string error_of(const std::string& request) {
  PushReader reader;
  for (const char c : request) {
    const auto done = reader.feed(std::string_view(&c, 1));
    if (!done) return done.error().message();
  }
  return reader.complete() ? "" : "not complete";
}

TEST(PktReader, CutsHoweverTheBytesCome) {
  PktReader reader;
  std::vector<std::string> payloads;
  for (const char c : "0009hello0000" + pkt("") + pkt(std::string(kMaxPktPayloadBytes, 'x'))) {
    reader.feed(std::string_view(&c, 1));
    const auto next = reader.next();
    ASSERT_TRUE(next);
    if (*next) payloads.push_back((*next)->kind == Pkt::Kind::flush ? "flush" : std::string((*next)->payload));
  }
  EXPECT_THAT(payloads, ElementsAre("hello", "flush", "", std::string(kMaxPktPayloadBytes, 'x')));
}

TEST(PktReader, RefusesLengthsThatAreNone) {
  for (const std::string bytes : {"0003", "fff1", "ffff", "00g0", "-001", " 12a", "+0ff"}) {
    PktReader reader;
    reader.feed(bytes);
    EXPECT_FALSE(reader.next()) << bytes;
  }
}

TEST(PushReader, ReadsCommandsOptionsAndLeavesThePack) {
  PushReader reader;
  const auto done = reader.feed(pkt("shallow " + kOld) +
                                command(kOld, kNew, "refs/heads/main",
                                        " report-status-v2 side-band-64k push-options "
                                        "object-format=sha1 agent=git/2") +
                                command(kNew, kNone, "refs/tags/v1") + "0000" + pkt("ci.skip") + "0000" + "PACKrest");
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_TRUE(*done);
  EXPECT_EQ(reader.rest(), "PACKrest");
  const auto& head = reader.head();
  ASSERT_EQ(head.commands.size(), 2u);
  EXPECT_EQ(head.commands[0].ref, "refs/heads/main");
  EXPECT_TRUE(head.commands[1].removes());
  EXPECT_TRUE(head.has_pack());
  EXPECT_THAT(head.options, ElementsAre("ci.skip"));
  EXPECT_THAT(head.shallow, ElementsAre(kOld));
  EXPECT_EQ(head.capabilities.report, Report::v2);
  EXPECT_TRUE(head.capabilities.side_band);
}

TEST(PushReader, TakesTheProbeThatAsksForNothing) {
  PushReader reader;
  EXPECT_TRUE(reader.feed("0000").value());
  EXPECT_TRUE(reader.head().commands.empty());
  EXPECT_FALSE(reader.head().has_pack());
}

TEST(PushReader, RefusesWhatServersCouldReadInAnotherWay) {
  const std::string good = command(kOld, kNew, "refs/heads/a", "report-status");
  const std::pair<std::string, std::string> cases[] = {
      {good + command(kOld, kNew, "refs/heads/b", "atomic") + "0000", "another line"},
      {good + command(kNew, kOld, "refs/heads/a") + "0000", "named twice"},
      {command(kOld, kNew, "refs/heads/a", "report-status push-cert=abc") + "0000", "'push-cert' cannot be checked"},
      {command(kOld, kNew, "refs/heads/a", "quiet quiet") + "0000", "'quiet' is named twice"},
      {command(kOld, kNew, "refs/heads/a", "object-format=md5") + "0000", "object format"},
      {pkt("push-cert" + std::string(1, '\0') + "report-status") + "0000", "cut short"},
      {pkt("push-cert") + "0000", "a command that is none"},
      {command(kOld, kNew, "HEAD") + "0000", "no name of a ref"},
      {command(kOld, kNew, "refs/heads/../../config") + "0000", "no name of a ref"},
      {command(kOld, kNew, "refs/heads/a b") + "0000", "no name of a ref"},
      {command(kOld, kNew, "refs/heads/a.lock") + "0000", "no name of a ref"},
      {command(kOld, kNew, "refs/heads") + "0000", "no name of a ref"},
      {command(kNone, kNone, "refs/heads/a") + "0000", "neither makes nor removes"},
      {command(std::string(40, 'G'), kNew, "refs/heads/a") + "0000", "without object ids"},
      {good + pkt("shallow " + kOld) + "0000", "after a command"},
      {pkt("hello") + "0000", "a command that is none"},
      {good + "0001", "no place"},
  };
  for (const auto& [request, why] : cases) EXPECT_THAT(error_of(request), HasSubstr(why));
}

// A signed push, whose certificate has these lines for a command, in front of and behind its signature.
struct Signed {
  std::string capabilities = "report-status push-options";
  std::string version = "certificate version 0.1\n";
  std::string header =
      "pusher Ada <ada@demo.test> 1700000000 +0000\x01pushee https://git.demo.test/app.git\x01nonce 1-a\x01";
  std::string options = "push-option ci.skip\x01";
  std::string commands = kOld + " " + kNew + " refs/heads/main\x01";
  std::string signature = "-----BEGIN SSH SIGNATURE-----\x01QUJD\x01-----END SSH SIGNATURE-----\x01";
  std::string end = "push-cert-end\n0000";
  std::string sent_options = "ci.skip";

  // Lines end with \x01, each a pkt-line of its own.
  std::string request() const {
    std::string out = pkt("push-cert" + std::string(1, '\0') + capabilities);
    const auto add = [&out](std::string lines) {
      for (size_t at = 0; at < lines.size();) {
        const size_t stop = lines.find('\x01', at);
        out += pkt(lines.substr(at, stop - at) + "\n");
        at = stop + 1;
      }
    };
    out += pkt(version);
    add(header + options + "\x01" + commands + signature);
    const bool flush = end.ends_with("0000");
    out += pkt(flush ? end.substr(0, end.size() - 4) : end) + (flush ? "0000" : "");
    return out + pkt(sent_options) + "0000";
  }
};

TEST(PushReader, TakesTheCommandsOfACertificate) {
  PushReader reader;
  const auto done = reader.feed(Signed().request() + "PACK");
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_TRUE(*done);
  EXPECT_EQ(reader.rest(), "PACK");
  const auto& head = reader.head();
  ASSERT_EQ(head.commands.size(), 1u);
  EXPECT_EQ(head.commands[0].ref, "refs/heads/main");
  ASSERT_TRUE(head.certificate);
  EXPECT_EQ(head.certificate->pushee, "https://git.demo.test/app.git");
  EXPECT_EQ(head.certificate->words,
            "certificate version 0.1\npusher Ada <ada@demo.test> 1700000000 +0000\n"
            "pushee https://git.demo.test/app.git\nnonce 1-a\npush-option ci.skip\n\n"
            "-----BEGIN SSH SIGNATURE-----\nQUJD\n-----END SSH SIGNATURE-----\n");
}

TEST(PushReader, RefusesCertificatesThatServersCouldReadInAnotherWay) {
  const std::string other = kOld + " " + kNew + " refs/heads/other\x01";
  const std::string begin = "-----BEGIN PGP SIGNATURE-----\x01";
  const std::string end = "-----END PGP SIGNATURE-----\x01";
  const std::pair<Signed, std::string> cases[] = {
      {{.version = "certificate version 0.2\n"}, "another version"},
      {{.version = "certificate version 0.1"}, "does not end"},
      {{.version = "certificate version 0.1\npusher x\n"}, "more than text"},
      {{.header = "pushee https://git.demo.test/app\x01"}, "without its 'pusher '"},
      {{.header = "pusher a\x01nonce 1\x01"}, "without its 'pushee '"},
      {{.header = "pusher a\x01pushee b\x01"}, "without its 'nonce '"},
      {{.header = "pusher a\x01pushee b\x01nonce 1\x01nonce 2\x01"}, "says more than it may"},
      {{.header = "pusher a\x01pushee b\x01nonce 1\x01pushee c\x01"}, "says more than it may"},
      {{.commands = ""}, "without commands"},
      {{.commands = other + "\x01" + other}, "a command that is none"},
      {{.commands = other + other}, "named twice"},
      {{.commands = "shallow " + kOld + "\x01" + other}, "a command that is none"},
      {{.commands = "-----BEGIN PGP MESSAGE-----\x01" + other}, "a command that is none"},
      {{.signature = ""}, "a command that is none"},
      {{.signature = begin + "x\x01"}, "cut short"},
      {{.signature = begin + other + begin + "x\x01" + end}, "unsound signature"},
      {{.signature = begin + "x\x01" + end + other}, "more after the signature"},
      {{.signature = begin + "x\x01" + end + begin + end}, "more after the signature"},
      {{.signature = begin + std::string(kMaxSignatureBytes / 2, 'x') + "\x01" +
                     std::string(kMaxSignatureBytes / 2, 'x') + "\x01" + end},
       "a signature of more than"},
      {{.signature = begin + "\xc3\xa9\x01" + end}, "unsound signature"},
      {{.end = "push-cert-end"}, "does not end"},
      {{.sent_options = "other"}, "not those of the push certificate"},
      {{.options = ""}, "not those of the push certificate"},
      {{.capabilities = "report-status"}, "not those of the push certificate"},
  };
  for (const auto& [push, why] : cases) EXPECT_THAT(error_of(push.request()), HasSubstr(why)) << push.request();
  const std::string request = Signed().request();
  const size_t flush = request.find("push-cert-end\n") + 14;
  EXPECT_THAT(error_of(request.substr(0, flush) + command(kOld, kNew, "refs/heads/b") + "0000"),
              HasSubstr("more after the push certificate"));
  EXPECT_THAT(error_of(request.substr(0, flush) + pkt("shallow " + kOld) + "0000"), HasSubstr("more after"));
  EXPECT_THAT(error_of(command(kOld, kNew, "refs/heads/b", "report-status") + request), HasSubstr("another line"));
}

TEST(PushCertificate, IsForOneRepository) {
  const auto is = [](std::string_view pushee, uint16_t port = 443) {
    return is_pushee(pushee, "git.demo.test", port, "/acme/app");
  };
  for (const auto& yes :
       {"https://git.demo.test/acme/app.git", "https://git.demo.test/acme/app", "https://Git.demo.test/acme/app/",
        "https://git.demo.test:443/acme/app.git/", "https://ada@git.demo.test/acme/app.git"}) {
    EXPECT_TRUE(is(yes)) << yes;
  }
  EXPECT_TRUE(is("https://git.demo.test:8443/acme/app", 8443));
  EXPECT_FALSE(is("https://git.demo.test/acme/app", 8443));
  for (const auto& no :
       {"https://git.demo.test/acme/other.git", "https://git.demo.test/acme/App", "http://git.demo.test/acme/app",
        "https://evil.example/acme/app", "https://git.demo.test@evil.example/acme/app", "git.demo.test/acme/app",
        "https://git.demo.test:8443/acme/app", "https://git.demo.test", ""}) {
    EXPECT_FALSE(is(no)) << no;
  }
}

TEST(PushResult, PassesWholePktLinesAndTellsWhyNoMoreCome) {
  const std::string answer = pkt("\2Counting\n") + pkt("\1" + pkt("unpack ok\n") + "0000") + "0000";
  for (size_t cut = 0; cut <= answer.size(); ++cut) {
    PushResult result(true);
    std::string out = result.feed(answer.substr(0, cut)).value();
    EXPECT_TRUE(answer.starts_with(out));
    EXPECT_EQ(result.complete(), cut == 0 || cut == answer.size()) << cut;
    EXPECT_EQ(result.streams(), !out.empty());
    EXPECT_EQ(result.broken_off("why"), cut == answer.size() ? "" : pkt("\3why"));
    out += result.feed(answer.substr(cut)).value();
    EXPECT_EQ(out, answer);
  }
  PushResult quiet(false);
  ASSERT_TRUE(quiet.feed(pkt("unpack ok\n")));
  EXPECT_FALSE(quiet.streams());
  EXPECT_EQ(quiet.broken_off("why"), "");
  ASSERT_TRUE(quiet.feed("0000"));
  EXPECT_TRUE(quiet.streams());
  EXPECT_FALSE(PushResult(true).feed("<html>"));
}

TEST(PushReader, BoundsHowManyRefs) {
  std::string request;
  for (size_t i = 0; i <= kMaxCommands; ++i) request += command(kOld, kNew, fmt::format("refs/heads/b{}", i));
  PushReader reader;
  const auto done = reader.feed(request + "0000");
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message(), HasSubstr("more than 10000 refs"));
}

TEST(PushReader, TakesLongerIds) {
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  EXPECT_EQ(error_of(command(a, b, "refs/heads/x", "object-format=sha256") + "0000"), "");
  EXPECT_NE(error_of(command(a, b, "refs/heads/x", "report-status") + "0000"), "");
}

TEST(AdvertisementFilter, KeepsRefsAndDropsWhatCannotBeChecked) {
  const std::string service = pkt("# service=git-receive-pack\n") + "0000";
  const std::string refs = pkt(kNew + " refs/heads/b\n") + "0000";
  const std::string offered =
      service +
      pkt(kOld + " refs/heads/a" + '\0' + "report-status push-cert=nonce delete-refs multi_ack object-format=sha1\n") +
      refs;
  for (const size_t piece : {size_t{1}, size_t{7}, offered.size()}) {
    AdvertisementFilter filter(false);
    std::string out;
    for (size_t at = 0; at < offered.size(); at += piece) {
      const auto passed = filter.feed(std::string_view(offered).substr(at, piece));
      ASSERT_TRUE(passed);
      out += *passed;
    }
    EXPECT_TRUE(filter.complete());
    EXPECT_EQ(
        out,
        service + pkt(kOld + " refs/heads/a" + '\0' + "report-status delete-refs object-format=sha1 no-thin\n") + refs);
  }
}

TEST(AdvertisementFilter, OffersSignedPushesWhereTheyAreLet) {
  const std::string service = pkt("# service=git-receive-pack\n") + "0000";
  AdvertisementFilter filter(true);
  const auto passed = filter.feed(service + pkt(kOld + " refs/heads/a" + '\0' + "push-cert=1-a x\n") + "0000");
  ASSERT_TRUE(passed);
  EXPECT_EQ(*passed, service + pkt(kOld + " refs/heads/a" + '\0' + "push-cert=1-a no-thin\n") + "0000");
}

TEST(AdvertisementFilter, RefusesWhatIsNone) {
  const std::string service = pkt("# service=git-receive-pack\n") + "0000";
  const std::string first = pkt(kOld + " refs/heads/a" + '\0' + "atomic");
  for (const auto& bytes :
       {std::string("<html>"), pkt("# service=git-upload-pack\n"), service + "0000",
        service + pkt(kOld + " refs/heads/a"), service + first + first, service + first + "0000" + first}) {
    AdvertisementFilter filter(true);
    EXPECT_FALSE(filter.feed(bytes)) << bytes;
  }
}

TEST(RefusalResponse, TellsTheRefsAndTheWords) {
  PushCapabilities agreed{.report = Report::v2, .side_band = true};
  const std::vector<RefRefusal> refs = {{"refs/heads/a", "denied\nby rule"}};
  const std::string report = pkt("unpack ok\n") + pkt("ng refs/heads/a denied\\x0aby rule\n") + "0000";
  EXPECT_EQ(refusal_response(agreed, refs, "words\n"), pkt("\2words\n") + pkt("\1" + report) + "0000");
  agreed.side_band = false;
  EXPECT_EQ(refusal_response(agreed, refs, "words\n"), report);
  agreed.report = Report::none;
  EXPECT_EQ(refusal_response(agreed, refs, "words\n"), "");
}

struct Collected final : ByteSink {
  bool write(std::string_view bytes) override {
    text += bytes;
    return true;
  }
  std::string text;
};

TEST(PlainBody, TakesOneGzipMemberAndNothingAfterIt) {
  const std::string packed = gzipped("0000");
  const auto decode = [](const std::string& bytes, size_t piece) -> std::string {
    auto body = PlainBody::create("gzip");
    Collected out;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const auto ok = body->decode(std::string_view(bytes).substr(at, piece), out);
      if (!ok) return ok.error().message();
    }
    const auto end = body->finish();
    return end ? out.text : end.error().message();
  };
  for (const size_t piece : {size_t{1}, size_t{1000}}) {
    EXPECT_EQ(decode(packed, piece), "0000");
    EXPECT_THAT(decode(packed + packed, piece), HasSubstr("after the end"));
    EXPECT_THAT(decode(packed + "x", piece), HasSubstr("after the end"));
    EXPECT_THAT(decode(packed.substr(0, packed.size() - 1), piece), HasSubstr("cut short"));
  }
  EXPECT_FALSE(PlainBody::create("br"));
}

TEST(FetchOffer, IsReadInBothVersions) {
  const auto offered = [](const std::string& body) { return parse_fetch_offer(body); };
  const std::string id(40, 'a'), tag(40, 'b');
  std::string newer;
  append_pkt(newer, "version 2\n");
  for (const auto* line : {"agent=git/2\n", "ls-refs\n", "fetch=shallow filter\n", "object-format=sha1\n"})
    append_pkt(newer, line);
  append_flush(newer);
  const auto two = offered(newer);
  ASSERT_TRUE(two) << two.error().message();
  EXPECT_EQ(two->offer.version, 2);
  EXPECT_TRUE(two->offer.filter && two->offer.shallow);

  std::string older;
  append_pkt(older, "# service=git-upload-pack\n");
  append_flush(older);
  append_pkt(older, id + " HEAD" + '\0' + "shallow symref=HEAD:refs/heads/main\n");
  append_pkt(older, id + " refs/heads/main\n");
  append_pkt(older, tag + " refs/tags/v1\n");
  append_pkt(older, id + " refs/tags/v1^{}\n");
  append_flush(older);
  const auto none = offered(older);
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_EQ(none->offer.version, 0);
  EXPECT_TRUE(none->offer.shallow && !none->offer.filter);
  EXPECT_EQ(none->refs.head, id);
  EXPECT_EQ(none->refs.tips.at("refs/tags/v1").id, tag);
  EXPECT_EQ(none->refs.tips.at("refs/tags/v1").leads_to, id);

  for (const auto& bad : {std::string(), std::string("<html>"), newer.substr(0, newer.size() - 4),
                          older.substr(0, older.size() - 4), older.substr(0, 34), std::string("0000")}) {
    EXPECT_FALSE(offered(bad)) << bad;
  }
}

TEST(RemoteRefs, AreThoseOfVersion2) {
  const std::string id(40, 'a'), tag(40, 'b');
  std::string body;
  append_pkt(body, id + " HEAD symref-target:refs/heads/main\n");
  append_pkt(body, tag + " refs/tags/v1 peeled:" + id + "\n");
  append_pkt(body, id + " refs/pull/1/head\n");
  const auto cut = body;
  append_flush(body);
  const auto refs = parse_refs(body, ObjectFormat::sha1);
  ASSERT_TRUE(refs);
  EXPECT_EQ(refs->head, id);
  ASSERT_EQ(refs->tips.size(), 1u);
  EXPECT_EQ(refs->tips.at("refs/tags/v1").leads_to, id);
  std::string refusal;
  append_pkt(refusal, "ERR no\n");
  for (const auto& bad : {cut, refusal, body + "0000", std::string("0008abcd")})
    EXPECT_FALSE(parse_refs(bad, ObjectFormat::sha1)) << bad;
}

TEST(FetchReader, TakesThePackOutOfItsBandHoweverItComes) {
  std::string newer;
  append_pkt(newer, "shallow-info\n");
  append_pkt(newer, "shallow " + std::string(40, 'a'));
  newer += "0001";
  append_pkt(newer, "packfile\n");
  std::string older;
  append_pkt(older, "shallow " + std::string(40, 'a'));
  append_flush(older);
  append_pkt(older, "NAK\n");
  for (const auto& [version, before] : {std::pair{2, newer}, {0, older}}) {
    FetchOffer offer;
    offer.version = version;
    std::string body = before;
    append_pkt(body, "\2Counting\n");
    append_pkt(body, "\1PACK");
    append_pkt(body, std::string("\1a\n\0b", 5));
    append_flush(body);
    for (size_t piece = 1; piece < body.size(); ++piece) {
      FetchReader reader(offer);
      std::string pack;
      for (size_t at = 0; at < body.size(); at += piece) {
        EXPECT_FALSE(reader.complete());
        const auto came = reader.feed(std::string_view(body).substr(at, piece));
        ASSERT_TRUE(came) << came.error().message();
        pack += *came;
      }
      EXPECT_TRUE(reader.complete());
      EXPECT_EQ(pack, std::string("PACKa\n\0b", 8));
    }
    for (const auto* bad : {"\3fatal: no\n", ""}) {
      FetchReader reader(offer);
      std::string refused = before;
      append_pkt(refused, bad);
      EXPECT_FALSE(reader.feed(refused)) << version;
    }
  }
}

TEST(FetchRequest, AsksForWhatTheRemoteCanDo) {
  FetchOffer offer{2, true, true, ObjectFormat::sha1};
  const FetchWanted wanted{{"1"}, {"2"}, true, FetchWanted::Leave::blobs};
  const auto lines = [&] {
    const std::string request = fetch_request(offer, wanted);
    std::string all;
    PktReader reader;
    reader.feed(request);
    for (auto pkt = reader.next(); pkt && *pkt; pkt = reader.next()) {
      all += (*pkt)->kind == Pkt::Kind::data ? std::string(without_line_feed((*pkt)->payload)) : "-";
      all += '|';
    }
    return all;
  };
  EXPECT_EQ(lines(),
            "command=fetch|object-format=sha1|-|ofs-delta|want 1|deepen 1|filter blob:none|have 2|no-progress|done|-|");
  offer.filter = false;
  EXPECT_EQ(lines(), "command=fetch|object-format=sha1|-|ofs-delta|want 1|deepen 1|have 2|no-progress|done|-|");
  offer.version = 0;
  EXPECT_EQ(lines(), "want 1 side-band-64k ofs-delta no-progress object-format=sha1 shallow|deepen 1|-|have 2|done|");
}

TEST(LfsBatch, SaysOneOperationOrNone) {
  const std::string objects = R"("objects": [{"oid": "a", "size": 1, "operation": "upload"}])";
  EXPECT_EQ(parse_lfs_batch(R"({"operation": "download", )" + objects + "}"), LfsOperation::download);
  EXPECT_EQ(parse_lfs_batch(R"({)" + objects + R"(, "operation": "upload"})"), LfsOperation::upload);
  for (const std::string bad :
       {R"({"operation": "download", "operation": "upload"})", R"({"operation": "download", "Operation": "upload"})",
        R"({"Operation": "download"})", R"({"operation": "Download"})", R"({"operation": ["download"]})",
        R"(["operation"])", R"({})", R"({"operation": "download"} x)", ""}) {
    EXPECT_FALSE(parse_lfs_batch(bad)) << bad;
  }
  EXPECT_EQ(lfs_refusal("no \"x\"\n"), R"({"message":"no \"x\"\n"})");
}

}  // namespace
}  // namespace gatehouse::git
