#include "dns/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns/query_builder.h"

namespace gatehouse::dns {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::HasSubstr;

Decision test_policy(const policy::DnsQuestion& question) {
  if (question.name == "ask.example") return {Verdict::ask, "careful", "needs a person"};
  if (question.name.ends_with("allowed.example") || question.name == "a.example") return {Verdict::allow, "ok", "fine"};
  return {Verdict::deny, "default-deny", "no rule allows this"};
}

// A resolver with a clock of its own, whose rows are committed when the test says so.
class Gate {
 public:
  explicit Gate(size_t most_names = kMaxPoolNames) : pool_(most_names), resolver_(test_policy, pool_) {}

  Step step(const std::string& message, Transport transport = Transport::datagram) {
    auto step = resolver_.handle(message, transport, now_, draft_);
    if (step.event) event = *step.event;
    return step;
  }
  // Asks, commits the row if there is one, and reads the reply.
  Message ask(const std::string& message, Transport transport = Transport::datagram) {
    event.reset();
    const auto taken = step(message, transport);
    if (taken.kind == Step::Kind::record) resolver_.committed(taken.ticket);
    return reply();
  }
  Message reply() {
    bytes_ = draft_.reply;
    const auto message = read_message(bytes_);
    EXPECT_TRUE(message) << message.error().message();
    return message ? *message : Message{};
  }
  std::string failure() const { return std::string(draft_.failure); }
  bool silent() const { return draft_.reply.empty(); }
  size_t reply_bytes() const { return draft_.reply.size(); }

  Resolver& resolver() { return resolver_; }
  std::vector<audit::DnsEvent> summaries() { return resolver_.summaries(now_); }
  void wait(std::chrono::milliseconds time) { now_ += time; }

  std::optional<audit::DnsEvent> event;  // the row of the last question, if it got one

 private:
  Pool pool_;
  Resolver resolver_;
  Time now_ = Time(1h);
  Draft draft_;
  std::string bytes_;
};

int rcode(const Message& message) {
  int code = message.header.flags & kRcodeMask;
  for (const auto& record : message.additionals) {
    if (record.type == kTypeOpt) code |= static_cast<int>(record.ttl >> 24) << 4;
  }
  return code;
}

// INFO-CODE of the extended error, -1 when there is none; its text goes to `text`.
int extended_error(const Message& message, std::string* text = nullptr) {
  for (const auto& record : message.additionals) {
    if (record.type != kTypeOpt || record.data.size() < 6) continue;
    if (text != nullptr) *text = record.data.substr(6);
    return static_cast<uint8_t>(record.data[4]) << 8 | static_cast<uint8_t>(record.data[5]);
  }
  return -1;
}

struct WireCase {
  std::string name;
  std::string message;
  int rcode;
  std::string answer;  // type of the answer record, or ""
  bool soa;            // in the authority section
  int extended_error;  // -1: none
  std::string rule;    // of the row; "-": no row
};

QueryBuilder query(std::string_view name, uint16_t type = kTypeA, uint16_t klass = kClassIn) {
  return QueryBuilder().ask(name, type, klass);
}

const std::string kLabel63 = std::string(63, 'x');
constexpr int kNone = -1, kBlocked = 15, kProhibited = 18, kNotSupported = 21;

std::vector<WireCase> wire_cases() {
  std::vector<WireCase> cases = {
      {"an allowed A", query("a.example"), 0, "A", false, kNone, "ok"},
      {"an allowed A with EDNS", query("b.allowed.example").opt(), 0, "A", false, kNone, "ok"},
      {"an allowed A in odd case", query("C.AlLoWeD.eXaMpLe"), 0, "A", false, kNone, "ok"},
      {"an allowed A with an underscore", query("_x.allowed.example"), 0, "A", false, kNone, "ok"},
      {"the longest label", query(kLabel63 + ".allowed.example"), 0, "A", false, kNone, "ok"},
      {"the longest name",
       query(kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(45, 'y') + ".allowed.example"), 0, "A",
       false, kNone, "ok"},
      {"ANY", query("a.example", kTypeAny), 0, "HINFO", false, kNone, "ok"},
      {"a denied A without EDNS", query("evil.example"), 3, "", true, kNone, "default-deny"},
      {"a denied A with EDNS", query("evil2.example").opt(), 3, "", true, kBlocked, "default-deny"},
      {"a denied ANY", query("evil3.example", kTypeAny).opt(), 3, "", true, kBlocked, "default-deny"},
      {"a denied TXT", query("evil4.example", 16).opt(), 3, "", true, kBlocked, "default-deny"},
      {"a name that needs an approval", query("ask.example").opt(), 3, "", true, kBlocked, "careful"},
      {"the root", query("", 2).opt(), 3, "", true, kBlocked, "dns.name"},
      {"a dot within a label",
       QueryBuilder()
           .ask_raw("\x09"
                    "a.example\0"s)
           .opt(),
       3, "", true, kBlocked, "dns.name"},
      {"a zero byte within a label", QueryBuilder().ask_raw("\3a\0b\7example\0"s).opt(), 3, "", true, kBlocked,
       "dns.name"},
      {"a space", QueryBuilder().ask("a b.allowed.example").opt(), 3, "", true, kBlocked, "dns.name"},
      {"an asterisk", QueryBuilder().ask("*.allowed.example").opt(), 3, "", true, kBlocked, "dns.name"},
      {"bytes above 127", QueryBuilder().ask("caf\xc3\xa9.allowed.example").opt(), 3, "", true, kBlocked, "dns.name"},
      {"a PTR nobody was given", query("9.9.18.198.in-addr.arpa", kTypePtr).opt(), 3, "", true, kBlocked,
       "dns.reverse"},
      {"a PTR of a public address", query("8.8.8.8.in-addr.arpa", kTypePtr).opt(), 3, "", true, kBlocked,
       "dns.reverse"},
      {"a PTR of the pool's network address", query("0.0.18.198.in-addr.arpa", kTypePtr), 3, "", true, kNone,
       "dns.reverse"},
      {"a PTR that is no address", query("some.data.in-addr.arpa", kTypePtr).opt(), 3, "", true, kBlocked,
       "dns.reverse"},
      {"a PTR of an IPv6 address", query("1.0.0.2.ip6.arpa", kTypePtr).opt(), 3, "", true, kBlocked, "dns.reverse"},
      {"a PTR of an allowed name", query("a.example", kTypePtr), 0, "", true, kNone, "ok"},
      {"class CHAOS", query("version.bind", 16, 3).opt(), 5, "", false, kProhibited, "dns.class"},
      {"class HESIOD", query("b.example", 1, 4), 5, "", false, kNone, "dns.class"},
      {"class NONE", query("c.example", 1, 254), 5, "", false, kNone, "dns.class"},
      {"class ANY", query("a.example", 1, 255), 5, "", false, kNone, "dns.class"},
      {"a zone transfer", query("a.example", 252).opt(), 5, "", false, kProhibited, "dns.type"},
      {"an incremental transfer", query("a.example", 251), 5, "", false, kNone, "dns.type"},
      {"OPT as a question", query("a.example", kTypeOpt), 5, "", false, kNone, "dns.type"},
      {"TSIG as a question", query("a.example", 250), 5, "", false, kNone, "dns.type"},
      {"type 0", query("a.example", 0), 5, "", false, kNone, "dns.type"},
      {"opcode IQUERY", query("a.example").flags(1 << 11), 4, "", false, kNone, "dns.opcode"},
      {"opcode STATUS", query("a.example").flags(2 << 11), 4, "", false, kNone, "dns.opcode"},
      {"opcode NOTIFY", query("a.example").flags(4 << 11), 4, "", false, kNone, "dns.opcode"},
      {"opcode UPDATE", query("a.example").flags(5 << 11), 4, "", false, kNone, "dns.opcode"},
      {"opcode 15 with a body of its own", QueryBuilder().flags(15 << 11).raw("?"), 4, "", false, kNone, "dns.opcode"},
      {"EDNS version 1", query("a.example").opt(1232, "", 1), 16, "", false, kNotSupported, "dns.edns-version"},
      {"EDNS version 255", query("d.example").opt(1232, "", 255), 16, "", false, kNotSupported, "dns.edns-version"},
      {"no question", QueryBuilder(), 1, "", false, kNone, "dns.malformed"},
      {"two questions", query("a.example").ask("b.example"), 1, "", false, kNone, "dns.malformed"},
      {"a compression loop", QueryBuilder().ask_raw("\xc0\x0c"s), 1, "", false, kNone, "dns.malformed"},
      {"a forward pointer", QueryBuilder().ask_raw("\1a\xc0\x30"s), 1, "", false, kNone, "dns.malformed"},
      {"a cut name", QueryBuilder().questions(1).raw("\3ab"s), 1, "", false, kNone, "dns.malformed"},
      {"a cut question", QueryBuilder().questions(1).raw("\1a\0\0\1"s), 1, "", false, kNone, "dns.malformed"},
      {"trailing bytes", query("a.example").raw("tail"), 1, "", false, kNone, "dns.malformed"},
      {"two OPT records", query("a.example").opt().opt(), 1, "", false, 0, "dns.malformed"},
      {"a label of 64 bytes", QueryBuilder().ask_raw("\x40"s + std::string(64, 'a') + "\0"s), 1, "", false, kNone,
       "dns.malformed"},
      {"a name of 256 bytes", query(kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + kLabel63), 1, "", false, kNone,
       "dns.malformed"},
      {"an answer in a query", query("a.example").answers(1).raw("\xc0\x0c\0\1\0\1\0\0\0\0\0\0"s), 1, "", false, kNone,
       "dns.malformed"},
      {"a bare header", QueryBuilder().questions(1), 1, "", false, kNone, "dns.malformed"},
      {"without RD", query("norecursion.allowed.example").flags(0), 0, "A", false, kNone, "ok"},
      {"with CD", query("cd.allowed.example").flags(0x0110), 0, "A", false, kNone, "ok"},
      {"DNSSEC OK", query("do.allowed.example").opt(4096, "", 0, true), 0, "A", false, kNone, "ok"},
      {"a tiny UDP size", query("tiny.example").opt(0), 3, "", true, kBlocked, "default-deny"},
      {"an unknown option", query("e.allowed.example").opt(1232, "\xfd\xe9\0\2hi"s), 0, "A", false, kNone, "ok"},
  };
  for (const uint16_t type : {2, 5, 6, 10, 15, 16, 28, 33, 35, 43, 48, 64, 65, 99, 257, 65280}) {
    cases.push_back({"no data of type " + type_text(type), query("a.example", type).opt(), 0, "", true, kNone, "ok"});
  }
  return cases;
}

TEST(Resolver, AnswersEveryWireCaseAsTheStandardsSay) {
  for (const auto& wanted : wire_cases()) {
    SCOPED_TRACE(wanted.name);
    Gate gate;
    const auto reply = gate.ask(wanted.message);
    EXPECT_EQ(rcode(reply), wanted.rcode);
    ASSERT_EQ(reply.answers.size(), wanted.answer.empty() ? 0U : 1U);
    if (!wanted.answer.empty()) {
      EXPECT_EQ(type_text(reply.answers[0].type), wanted.answer);
    }
    ASSERT_EQ(reply.authorities.size(), wanted.soa ? 1U : 0U);
    if (wanted.soa) {
      EXPECT_EQ(reply.authorities[0].type, kTypeSoa);
    }
    EXPECT_EQ(extended_error(reply), wanted.extended_error);
    ASSERT_TRUE(gate.event);
    EXPECT_EQ(gate.event->decision.rule_id, wanted.rule);
    EXPECT_EQ(gate.event->decision.allowed(), wanted.rule == "ok");

    // Whatever it is, the reply is one, to this question and no other.
    const auto header = wanted.message.substr(0, kHeaderBytes);
    EXPECT_EQ(reply.header.id, 0x1234);
    EXPECT_NE(reply.header.flags & kFlagResponse, 0);
    const uint16_t sent = static_cast<uint16_t>(static_cast<uint8_t>(header[2]) << 8 | static_cast<uint8_t>(header[3]));
    const uint16_t echoed = kOpcodeMask | kFlagRecursionDesired | kFlagCheckingDisabled;
    EXPECT_EQ(reply.header.flags & echoed, sent & echoed);
    if (reply.header.questions == 1) {
      EXPECT_EQ(reply.question, wanted.message.substr(kHeaderBytes, reply.question.size()));
    }
    EXPECT_EQ(reply.header.flags & kFlagTruncated, 0);
  }
}

TEST(Resolver, SaysNothingToResponsesAndToWhatHasNoHeader) {
  for (const auto& message : {""s, "\x12\x34\1\0\0\1"s, query("a.example").flags(0x8180).bytes()}) {
    Gate gate;
    EXPECT_EQ(gate.step(message).kind, Step::Kind::record);
    EXPECT_TRUE(gate.silent());
    EXPECT_EQ(gate.event->decision.rule_id, "dns.malformed");
  }
}

TEST(Resolver, AnswersOnlyAfterTheCommit) {
  Gate gate;
  const auto step = gate.step(query("a.example"));
  EXPECT_EQ(step.kind, Step::Kind::record);
  EXPECT_EQ(gate.event->name, "a.example");
  EXPECT_EQ(gate.event->type, "A");
  EXPECT_EQ(gate.event->rcode, "NOERROR");
  EXPECT_EQ(gate.event->address, "198.18.0.1");
  gate.step(query("1.0.18.198.in-addr.arpa", kTypePtr));
  EXPECT_EQ(rcode(gate.reply()), 3) << "not given out before the commit";
}

TEST(Resolver, LetsRepeatsWaitForTheSameRow) {
  Gate gate;
  const auto first = gate.step(query("a.example"));
  const auto second = gate.step(query("A.example").id(7));
  EXPECT_EQ(second.kind, Step::Kind::wait);
  EXPECT_EQ(second.ticket, first.ticket);
  EXPECT_EQ(gate.reply().header.id, 7);
  gate.resolver().committed(first.ticket);
  EXPECT_EQ(gate.step(query("a.example")).kind, Step::Kind::answer);
}

TEST(Resolver, FailsWhenTheRowIsLostAndTriesAgain) {
  Gate gate;
  const auto first = gate.step(query("a.example").opt());
  const auto failure_bytes = gate.failure();
  const auto failure = read_message(failure_bytes).value();
  EXPECT_EQ(rcode(failure), 2);
  EXPECT_EQ(extended_error(failure), 14);
  EXPECT_TRUE(failure.answers.empty());
  gate.resolver().lost(first.ticket);
  EXPECT_EQ(gate.step(query("1.0.18.198.in-addr.arpa", kTypePtr)).kind, Step::Kind::record);
  const auto second = gate.step(query("a.example"));
  EXPECT_EQ(second.kind, Step::Kind::record);
  EXPECT_NE(second.ticket, first.ticket);
}

TEST(Resolver, GivesANameItsAddressAndTheAddressItsName) {
  Gate gate;
  const auto reply = gate.ask(query("X.Allowed.Example"));
  EXPECT_EQ(reply.answers.at(0).data, "\xc6\x12\0\1"s);
  EXPECT_EQ(reply.answers.at(0).ttl, 60U);
  EXPECT_EQ(reply.answers.at(0).owner.text(), "x.allowed.example");
  const auto back = gate.ask(query("1.0.18.198.in-addr.arpa", kTypePtr));
  EXPECT_FALSE(gate.event) << "the house's own look-up needs no row";
  EXPECT_EQ(back.answers.at(0).data, "\1x\7allowed\7example\0"s);
  const auto other = gate.ask(query("1.0.18.198.in-addr.arpa", 16));
  EXPECT_EQ(rcode(other), 0);
  EXPECT_EQ(other.authorities.size(), 1U);
}

TEST(Resolver, GivesNoAddressForOtherTypes) {
  Gate gate;
  gate.ask(query("a.example", kTypeAaaa));
  EXPECT_EQ(gate.event->address, "");
  EXPECT_EQ(gate.ask(query("b.allowed.example")).answers.at(0).data, "\xc6\x12\0\1"s);
}

TEST(Resolver, ExplainsADenialWithRuleAndEvent) {
  Gate gate;
  std::string text;
  EXPECT_EQ(extended_error(gate.ask(query("evil.example").opt()), &text), 15);
  EXPECT_EQ(text, "no rule allows this (rule default-deny, event " + gate.event->event_id + ")");
  EXPECT_EQ(gate.event->rcode, "NXDOMAIN");
}

TEST(Resolver, CountsRepeatsInOneRowAWindow) {
  Gate gate;
  gate.ask(query("a.example"));
  const auto first = gate.event->event_id;
  for (int i = 0; i < 5; ++i) {
    gate.wait(10s);
    EXPECT_EQ(gate.ask(query("a.example")).answers.size(), 1U);
    EXPECT_FALSE(gate.event);
    EXPECT_TRUE(gate.summaries().empty());
  }
  gate.wait(10s);
  const auto rows = gate.summaries();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].decision.reason, "asked 5 more times, first in event " + first + ": fine");
  EXPECT_EQ(rows[0].address, "") << "only the row of an answer says where it leads";
  EXPECT_NE(rows[0].event_id, first);
  EXPECT_EQ(rows[0].trace_id, first);
  gate.ask(query("a.example"));
  EXPECT_TRUE(gate.event) << "a new window begins with a row";
}

TEST(Resolver, RecordsADeniedNameOnceASecond) {
  Gate gate;
  for (int i = 0; i < 100; ++i) gate.ask(query("evil.example").id(static_cast<uint16_t>(i)));
  EXPECT_FALSE(gate.event);
  gate.wait(1s);
  gate.ask(query("evil.example"));
  EXPECT_TRUE(gate.event);
  const auto rows = gate.summaries();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].decision.reason, HasSubstr("asked 99 more times"));
}

TEST(Resolver, TellsTheRestAtTheEnd) {
  Gate gate;
  gate.ask(query("a.example"));
  gate.ask(query("a.example"));
  EXPECT_EQ(gate.resolver().last_summaries().size(), 1U);
}

TEST(Resolver, DeniesNewNamesWhenThePoolIsFull) {
  Gate gate(2);
  gate.ask(query("1.allowed.example"));
  gate.ask(query("2.allowed.example"));
  EXPECT_EQ(rcode(gate.ask(query("3.allowed.example").opt())), 3);
  EXPECT_EQ(gate.event->decision.rule_id, "dns.pool-full");
  EXPECT_EQ(gate.event->decision.reason, "2 names are in use in this session, which is the limit");
  EXPECT_EQ(gate.ask(query("1.allowed.example")).answers.size(), 1U);
}

TEST(Resolver, GivesANewNameTheAddressThatNobodyUses) {
  Gate gate(2);
  gate.ask(query("1.allowed.example"));
  gate.ask(query("2.allowed.example"));
  for (int i = 0; i < 10; ++i) {  // a connection to the first lives, and somebody asks for the second now and then
    gate.wait(kLease / 4);
    EXPECT_EQ(gate.ask(query("1.0.18.198.in-addr.arpa", kTypePtr)).answers.size(), 1U);
    EXPECT_EQ(gate.ask(query("2.allowed.example")).answers.size(), 1U);
  }
  EXPECT_EQ(rcode(gate.ask(query("3.allowed.example"))), 3);
  for (int i = 0; i < 4; ++i) {
    gate.wait(kLease / 4);
    gate.ask(query("1.0.18.198.in-addr.arpa", kTypePtr));
  }
  EXPECT_EQ(gate.ask(query("4.allowed.example")).answers.at(0).data, "\xc6\x12\0\2"s);
  EXPECT_EQ(gate.ask(query("2.0.18.198.in-addr.arpa", kTypePtr)).answers.at(0).data,
            "\x01"
            "4\7allowed\7example\0"s);
  EXPECT_EQ(rcode(gate.ask(query("2.allowed.example"))), 3) << "its address is another's, and none is free";
}

TEST(Resolver, ForgetsAnAddressWhoseRowWasLost) {
  Gate gate(1);
  gate.resolver().lost(gate.step(query("1.allowed.example")).ticket);
  gate.wait(kLease);
  EXPECT_EQ(gate.ask(query("2.allowed.example")).answers.at(0).data, "\xc6\x12\0\1"s);
}

TEST(Resolver, SumsUpAFloodBelowADomainAndThenRefusesIt) {
  Gate gate;
  int rows = 0, denied = 0, refused = 0;
  std::string text;
  for (int i = 0; i < 50'000; ++i) {
    const auto reply = gate.ask(query("n" + std::to_string(i) + ".evil.example").opt());
    rows += gate.event ? 1 : 0;
    denied += rcode(reply) == 3 ? 1 : 0;
    if (rcode(reply) == 5 && ++refused == 1) {
      EXPECT_EQ(extended_error(reply, &text), 18);
    }
  }
  EXPECT_LT(rows, 100);
  EXPECT_EQ(denied, kMaxRowsAtOnce);
  EXPECT_EQ(refused, 50'000 - kMaxRowsAtOnce);
  EXPECT_THAT(text, HasSubstr("dns.flood"));
  auto told = gate.summaries();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].decision.rule_id, "dns.exfiltration");
  EXPECT_EQ(told[0].name, "evil.example");
  EXPECT_EQ(told[1].decision.rule_id, "dns.flood");
  EXPECT_EQ(told[1].decision.reason, "refused 30000 different questions, more than 100 a second");
  gate.ask(query("more.evil.example"));
  EXPECT_TRUE(gate.summaries().empty()) << "at most one a second";
  gate.wait(1s);
  EXPECT_EQ(gate.summaries().size(), 1U);
  gate.ask(query("again.another.example"));
  EXPECT_TRUE(gate.event) << "the budget fills again";
  const auto last = gate.resolver().last_summaries();
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].trace_id, told[0].event_id);
  EXPECT_THAT(last[0].decision.reason,
              HasSubstr("denied " + std::to_string(kMaxRowsAtOnce - rows) + " more questions"));
}

TEST(Resolver, TellsOfALongFloodLessAndLessOften) {
  Gate gate;
  int told = 0;
  for (int second = 0; second < 600; ++second) {
    for (int i = 0; i < 300; ++i) gate.ask(query("n" + std::to_string(second * 1000 + i) + ".evil.example"));
    gate.wait(1s);
    for (const auto& row : gate.summaries()) told += row.decision.rule_id == "dns.flood" ? 1 : 0;
  }
  EXPECT_GE(told, 6);
  EXPECT_LE(told, 7 + 600 / 64);
}

TEST(Resolver, NamesTheDomainsRowToWhoAsksBelowIt) {
  Gate gate;
  int listed = 0;
  while (gate.ask(query("poll" + std::to_string(listed) + ".evil.example", 16)), gate.event) ASSERT_LT(++listed, 20);
  const auto noticed = gate.summaries().at(0);
  std::string text;
  EXPECT_EQ(extended_error(gate.ask(query("more.evil.example", 16).opt()), &text), 15);
  EXPECT_THAT(text, HasSubstr("(rule default-deny, event " + noticed.event_id + ")"));
  for (int i = 0; i < 30'000; ++i)
    EXPECT_EQ(rcode(gate.ask(query("more.evil.example", 16))), 3) << "a repeat costs nothing";
  gate.wait(1s);
  EXPECT_TRUE(gate.summaries().empty()) << "nor has it a summary of its own";
}

TEST(Resolver, GivesEveryAllowedNameItsRowEvenWhereDataIsSeen) {
  Gate gate;
  for (int i = 0; i < 200; ++i) {
    const auto name = std::string(40, static_cast<char>('a' + i % 26)) + std::to_string(i * 7919) + ".allowed.example";
    EXPECT_EQ(gate.ask(query(name)).answers.size(), 1U);
    ASSERT_TRUE(gate.event);
    EXPECT_EQ(gate.event->address.substr(0, 7), "198.18.");
  }
  ASSERT_EQ(gate.summaries().at(0).decision.rule_id, "dns.exfiltration");
}

TEST(Resolver, StillAnswersTheHouseDuringAFlood) {
  Gate gate;
  gate.ask(query("a.example"));
  for (int i = 0; i < 30'000; ++i) gate.ask(query("n" + std::to_string(i) + ".evil.example"));
  EXPECT_EQ(gate.ask(query("1.0.18.198.in-addr.arpa", kTypePtr)).answers.size(), 1U);
  EXPECT_EQ(gate.ask(query("a.example")).answers.size(), 1U);
}

TEST(Resolver, KeepsToTheSizeTheClientTakes) {
  Decision wordy{Verdict::deny, "r", std::string(600, 'w')};
  Pool pool;
  Resolver resolver([&](const policy::DnsQuestion&) { return wordy; }, pool);
  Draft draft;
  const auto longest = kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(61, 'y');
  for (const uint16_t size : {0, 512, 600, 1232, 65535}) {
    resolver.handle(query(longest).opt(size).bytes(), Transport::datagram, Time(1h + std::chrono::hours(size)), draft);
    EXPECT_LE(draft.reply.size(), std::clamp<size_t>(size, 512, 1232));
    EXPECT_EQ(extended_error(read_message(draft.reply).value()), 15);
  }
  resolver.handle(query(longest).bytes(), Transport::datagram, Time(100000h), draft);
  EXPECT_LE(draft.reply.size(), 512U);
}

TEST(Resolver, CutsTheReasonBetweenCharacters) {
  Pool pool;
  std::string reason;
  for (int i = 0; i < 200; ++i) reason += "\xc3\xa9";
  Resolver resolver([&](const policy::DnsQuestion&) { return Decision{Verdict::deny, "r", reason}; }, pool);
  Draft draft;
  resolver.handle(query("x.example").opt().bytes(), Transport::stream, Time(1h), draft);
  std::string text;
  extended_error(read_message(draft.reply).value(), &text);
  const auto words = text.substr(0, text.find(" (rule"));
  EXPECT_EQ(words.size() % 2, 0U);
  EXPECT_LE(text.size(), 240U);
}

}  // namespace
}  // namespace gatehouse::dns
