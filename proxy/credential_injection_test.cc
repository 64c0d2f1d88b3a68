#include "proxy/credential_injection.h"

#include <gmock/gmock.h>

#include "proxy/test_credentials.h"

namespace gatehouse::proxy {
namespace {

using testing::HasSubstr;

// What goes upstream: "path | Name: value | ..." without what is asked of every bound host; "-> reason" when denied.
struct Outcome {
  std::string blanked, sent, words, rule;
};

std::string written(const RequestHead& head) {
  std::string text = head.path;
  for (const Field& field : head.fields) {
    if (field.name != "Accept-Encoding") text += " | " + field.name + ": " + field.value;
  }
  return text;
}

Outcome run(const TestCredentials& credentials, const std::string& path, const Fields& fields,
            const Target& target = {Scheme::https, "a.example.com", 443}) {
  CredentialInjection injection(credentials.table(), target);
  RequestHead head;
  head.host = target.host;
  head.path = path;
  head.fields = fields;
  Outcome outcome;
  if (const auto denied = injection.take_out(head)) {
    outcome.rule = denied->rule_id;
    return outcome;
  }
  outcome.blanked = written(head);
  outcome.words = injection.words();
  injection.put_in(head);
  outcome.sent = written(head);
  return outcome;
}

const std::string kP = placeholder_of("T");
const std::string kV = value_of("T");

std::string secret(const std::string& as, const std::string& more = "") {
  return R"({"T": {"from": "env:T", "hosts": ["a.example.com"], "as": )" + as + more + "}}";
}

TEST(CredentialInjection, PutsTheValueWhereThePlaceholderStands) {
  const struct {
    std::string as, path;
    Field field;
    std::string sent, words;
  } cases[] = {
      {R"("bearer")", "/", {"Authorization", "Bearer " + kP}, "/ | Authorization: Bearer " + kV, "bearer"},
      {R"("bearer")", "/", {"authorization", "token  " + kP}, "/ | authorization: token  " + kV, "bearer"},
      {R"("basic")",
       "/",
       {"Authorization", "Basic " + base64("me:" + kP)},
       "/ | Authorization: Basic " + base64("me:" + kV),
       "basic"},
      {R"("basic")",
       "/",
       {"Authorization", "basic " + base64(kP + ":x-oauth-basic")},
       "/ | Authorization: basic " + base64(kV + ":x-oauth-basic"),
       "basic"},
      {R"("basic:bot")",
       "/",
       {"Authorization", "Basic " + base64("bot:" + kP)},
       "/ | Authorization: Basic " + base64("bot:" + kV),
       "basic:bot"},
      {R"("header:x-api-key")", "/", {"X-Api-Key", kP}, "/ | X-Api-Key: " + kV, "header:x-api-key"},
      {R"("header:x-api-key")", "/", {"X_API_KEY", kP}, "/ | X_API_KEY: " + kV, "header:x-api-key"},
      {R"("header:authorization")",
       "/",
       {"Authorization", "Key a=" + kP + ", b=" + kP},
       "/ | Authorization: Key a=" + kV + ", b=" + kV,
       "header:authorization"},
      {R"("header:cookie")", "/", {"Cookie", "a=1; sid=" + kP}, "/ | Cookie: a=1; sid=" + kV, "header:cookie"},
      {R"("query:key")",
       "/x?a=1&key=" + kP + "&b=2",
       {"A", "b"},
       "/x?a=1&key=" + percent_encoded(kV) + "&b=2 | A: b",
       "query:key"},
      {R"(["header:x-api-key", "bearer"])",
       "/",
       {"Authorization", "Bearer " + kP},
       "/ | Authorization: Bearer " + kV,
       "bearer"},
  };
  for (const auto& one : cases) {
    const TestCredentials credentials(secret(one.as));
    const auto outcome = run(credentials, one.path, {one.field});
    EXPECT_EQ(outcome.sent, one.sent) << one.as;
    EXPECT_EQ(outcome.words, "with the secret T (" + one.words + ")");
    EXPECT_EQ(outcome.blanked.find(kP.substr(kP.size() - 32)), std::string::npos) << outcome.blanked;
    EXPECT_EQ(outcome.blanked.find(base64(kP).substr(4, 16)), std::string::npos);
  }
}

TEST(CredentialInjection, LeavesAPlaceholderAloneWhereItHasNoBusiness) {
  const TestCredentials credentials(secret(R"("bearer")"));
  const Field bearer{"Authorization", "Bearer " + kP};
  const struct {
    std::string path;
    Field field;
    Target target;
  } cases[] = {
      {"/", bearer, {Scheme::https, "b.example.com", 443}},
      {"/", bearer, {Scheme::https, "x.a.example.com", 443}},
      {"/", bearer, {Scheme::https, "a.example.com", 8443}},
      {"/", bearer, {Scheme::http, "a.example.com", 80}},
      {"/", bearer, {Scheme::http, "a.example.com", 443}},
      {"/", {"X-Other", kP}, {Scheme::https, "a.example.com", 443}},
      {"/", {"X-Authorization", "Bearer " + kP}, {Scheme::https, "a.example.com", 443}},
      {"/?key=" + kP, {"A", "b"}, {Scheme::https, "a.example.com", 443}},
      {"/" + kP, {"A", "b"}, {Scheme::https, "a.example.com", 443}},
  };
  for (const auto& one : cases) {
    const auto outcome = run(credentials, one.path, {one.field}, one.target);
    EXPECT_EQ(outcome.sent, one.path + " | " + one.field.name + ": " + one.field.value);
    EXPECT_EQ(outcome.blanked, outcome.sent) << "the scanner is to find it";
    EXPECT_EQ(outcome.words, "");
  }
}

TEST(CredentialInjection, RefusesAKeyOfTheGuestsOwn) {
  const struct {
    std::string as, path;
    Field field;
  } cases[] = {
      {R"("bearer")", "/", {"Authorization", "Bearer other"}},
      {R"("bearer")", "/", {"Authorization", "Bearer " + kP + "x"}},
      {R"("bearer")", "/", {"Authorization", "Bearer"}},
      {R"("bearer")", "/", {"Authorization", ""}},
      {R"("bearer")", "/", {"Authorization", "Basic " + base64("me:" + kP)}},
      {R"("basic")", "/", {"Authorization", "Bearer " + kP}},
      {R"("basic")", "/", {"Authorization", "Basic " + base64("me:other")}},
      {R"("basic")", "/", {"Authorization", "Basic " + base64("me:" + kP) + " "}},
      {R"("basic:bot")", "/", {"Authorization", "Basic " + base64("me:" + kP)}},
      {R"("basic:bot")", "/", {"Authorization", "Basic " + base64(kP + ":" + kP)}},
      {R"("header:x-api-key")", "/", {"x-api-key", "other"}},
      {R"("header:x-api-key")", "/", {"x_api_key", "other"}},
      {R"("query:key")", "/?key=other", {"A", "b"}},
      {R"("query:key")", "/?key", {"A", "b"}},
      {R"("query:key")", "/?%6bey=other", {"A", "b"}},
      {R"("query:key")", "/?a=1;key=other", {"A", "b"}},
      {R"("query:key")", "/?key=" + kP + "&key=other", {"A", "b"}},
  };
  for (const auto& one : cases) {
    const TestCredentials credentials(secret(one.as));
    EXPECT_EQ(run(credentials, one.path, {one.field}).rule, "credential.foreign")
        << one.as << " " << one.path << " " << one.field.value;
  }
  EXPECT_EQ(run(TestCredentials(secret(R"("header:cookie")")), "/", {{"Cookie", "a=1"}}).sent, "/ | Cookie: a=1");
}

TEST(CredentialInjection, SendsWhatIsSentInAnyCaseWhateverTheGuestWrote) {
  const std::string always = R"(, "inject": "always")";
  const struct {
    std::string as, path;
    Fields fields;
    std::string sent;
  } cases[] = {
      {R"("bearer")", "/", {}, "/ | Authorization: Bearer " + kV},
      {R"("bearer")",
       "/",
       {{"Authorization", "Basic b3RoZXI6eA=="}, {"A", "b"}},
       "/ | A: b | Authorization: Bearer " + kV},
      {R"("bearer")", "/", {{"Authorization", "Bearer " + kP}}, "/ | Authorization: Bearer " + kV},
      {R"("basic:bot")", "/", {}, "/ | Authorization: Basic " + base64("bot:" + kV)},
      {R"("header:x-api-key")", "/", {{"X-Api-Key", "other"}}, "/ | x-api-key: " + kV},
      {R"("query:key")", "/x", {}, "/x?key=" + percent_encoded(kV)},
      {R"("query:key")", "/x?", {}, "/x?key=" + percent_encoded(kV)},
      {R"("query:key")", "/x?key=other", {}, "/x?key=" + percent_encoded(kV)},
      {R"("query:key")", "/x?a=1&key=other&%6Bey=2&b=3", {}, "/x?a=1&b=3&key=" + percent_encoded(kV)},
      {R"(["header:x-api-key", "bearer"])", "/", {{"Authorization", "Bearer other"}}, "/ | x-api-key: " + kV},
      {R"(["header:x-api-key", "bearer"])",
       "/",
       {{"Authorization", "Bearer " + kP}},
       "/ | Authorization: Bearer " + kV},
  };
  for (const auto& one : cases) {
    const auto outcome = run(TestCredentials(secret(one.as, always)), one.path, one.fields);
    EXPECT_EQ(outcome.sent, one.sent) << one.as << " " << one.path;
    EXPECT_EQ(outcome.words.rfind("with the secret T (", 0), 0U);
  }
}

TEST(CredentialInjection, TellsSeveralSecretsApart) {
  const TestCredentials credentials(R"({
      "T": {"from": "env:T", "hosts": ["a.example.com"], "as": "bearer"},
      "U": {"from": "env:U", "hosts": ["a.example.com"], "as": ["bearer", "header:x-u"]},
      "V": {"from": "env:V", "hosts": ["b.example.com"], "as": "bearer"}})");
  const auto outcome =
      run(credentials, "/", {{"Authorization", "Bearer " + placeholder_of("U")}, {"X-U", placeholder_of("U")}});
  EXPECT_EQ(outcome.sent, "/ | Authorization: Bearer " + value_of("U") + " | X-U: " + value_of("U"));
  EXPECT_EQ(outcome.words, "with the secret U (bearer), U (header:x-u)");
  EXPECT_EQ(run(credentials, "/", {{"Authorization", "Bearer " + placeholder_of("V")}}).rule, "credential.foreign");
}

TEST(CredentialInjection, AsksForAWholeAnswerThatIsNotPacked) {
  const TestCredentials credentials(secret(R"("bearer")"));
  CredentialInjection injection(credentials.table(), {Scheme::https, "a.example.com", 443});
  RequestHead head;
  head.path = "/";
  head.fields = {{"accept-encoding", "gzip, br"}, {"RANGE", "bytes=0-3"}, {"If_Range", "x"}, {"A", "b"}};
  EXPECT_FALSE(injection.take_out(head));
  EXPECT_EQ(head.fields, (Fields{{"A", "b"}, {"Accept-Encoding", "identity"}}));
  EXPECT_EQ(injection.words(), "");
}

TEST(CredentialInjection, LeavesNothingOfTheValueInTheHeadOnceItIsWiped) {
  const TestCredentials credentials(secret(R"(["bearer", "query:key"])"));
  CredentialInjection injection(credentials.table(), {Scheme::https, "a.example.com", 443});
  RequestHead head;
  head.path = "/?key=" + kP;
  head.fields = {{"Authorization", "Bearer " + kP}};
  EXPECT_FALSE(injection.take_out(head));
  injection.put_in(head);
  EXPECT_THAT(written(head), HasSubstr(kV));
  injection.wipe(head);
  EXPECT_EQ(written(head).find("v4lue"), std::string::npos);
}

std::string restored(const CredentialInjection& injection, std::string_view body, size_t piece) {
  const auto restorer = injection.restorer();
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
    out += restorer->restore_body(body.substr(0, piece));
  }
  return out.append(restorer->finish_body());
}

TEST(ResponseRestorer, GivesTheGuestThePlaceholderInEveryFormOfTheValue) {
  const TestCredentials credentials(secret(R"(["bearer", "basic"])"));
  CredentialInjection injection(credentials.table(), {Scheme::https, "a.example.com", 443});
  RequestHead head;
  head.path = "/";
  const std::string pair = base64("me:" + kP);
  head.fields = {{"Authorization", "Basic " + pair}};
  EXPECT_FALSE(injection.take_out(head));
  injection.put_in(head);
  const std::pair<std::string, std::string> cases[] = {
      {"a " + kV + " b", "a " + kP + " b"},
      {kV + kV, kP + kP},
      {"key=" + percent_encoded(kV), "key=" + kP},
      {R"({"key":")" + json_escaped(kV, true) + "\"}", R"({"key":")" + kP + "\"}"},
      {"Basic " + base64("me:" + kV), "Basic " + pair},
      {kV.substr(0, 6) + " " + kV.substr(1), kV.substr(0, 6) + " " + kV.substr(1)},
      {"", ""},
  };
  for (const auto& [sent, got] : cases) {
    for (const size_t piece : {1U, 2U, 3U, 7U, 1000U}) EXPECT_EQ(restored(injection, sent, piece), got) << piece;
  }
  EXPECT_EQ(CredentialInjection().restorer(), nullptr);
}

TEST(ResponseRestorer, RestoresHeadsAndForgetsADeclaredLength) {
  const TestCredentials credentials(secret(R"("bearer")"));
  const CredentialInjection injection(credentials.table(), {Scheme::https, "a.example.com", 443});
  ResponseHead head;
  head.status = 302;
  head.reason = "Found " + kV;
  head.fields = {{"Location", "https://b.example.com/?key=" + percent_encoded(kV)}, {"Set-Cookie", "a=" + kV}};
  head.framing = {Framing::Kind::length, 10};
  head.content_length = 10;
  const auto restorer = injection.restorer();
  restorer->restore_head(head);
  EXPECT_EQ(head.reason, "Found " + kP);
  EXPECT_EQ(head.fields, (Fields{{"Location", "https://b.example.com/?key=" + kP}, {"Set-Cookie", "a=" + kP}}));
  EXPECT_EQ(head.framing.kind, Framing::Kind::until_close);
  EXPECT_FALSE(head.content_length);
  EXPECT_EQ(restorer->restored(), 3U);

  ResponseHead answer_to_head;
  answer_to_head.content_length = 10;
  restorer->restore_head(answer_to_head);
  EXPECT_EQ(answer_to_head.content_length, 10U);
}

TEST(ResponseRestorer, RefusesWhatItCannotLookThrough) {
  ResponseHead head;
  head.fields = {{"Content-Encoding", "gzip"}};
  EXPECT_EQ(ResponseRestorer::refuses(head), "") << "nothing follows";
  head.framing = {Framing::Kind::chunked, 0};
  EXPECT_NE(ResponseRestorer::refuses(head), "");
  head.fields = {{"content_encoding", "br"}};
  EXPECT_NE(ResponseRestorer::refuses(head), "");
  head.fields = {{"Content-Encoding", "Identity"}};
  EXPECT_EQ(ResponseRestorer::refuses(head), "");
}

TEST(CredentialTable, RefusesWhatCannotBeSent) {
  const auto policy =
      policy::Policy::parse({{"t.json", R"({"version": 1, "secrets": )" + secret(R"("bearer")") + "}"}});
  const auto error = [&](const std::string& value) {
    const auto values = CredentialValues::parse(
        fmt::format(R"({{"secrets": [{{"name": "T", "value": "{}", "placeholder": "{}"}}]}})", value, kP));
    if (!values) return values.error().message();
    const auto table = CredentialTable::create(*policy, *values);
    return table ? "" : table.error().message();
  };
  EXPECT_EQ(error("fine-value"), "");
  EXPECT_EQ(error("two\\nlines"), "secret T: the value has characters that cannot be sent as bearer");
  EXPECT_EQ(error("with space"), "secret T: the value has characters that cannot be sent as bearer");
  EXPECT_EQ(error("short"), "secrets[0]: the value has 5 bytes: 6 to 8192 can be put into a request");
  const auto bare = CredentialValues::parse(R"({"secrets": [{"name": "T", "value": "hunter2"}]})");
  EXPECT_EQ(CredentialTable::create(*policy, *bare).error().message(), "the secret T has no placeholder");
  EXPECT_EQ(CredentialTable::create(*policy, CredentialValues()).error().message(),
            "no value was given for the secret T, which the policy sends to hosts");
}

TEST(CredentialValues, RefuseWhatIsWrongInWordsWithoutTheValue) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "is no JSON object with a list of \"secrets\""},
      {"[]", "is no JSON object with a list of \"secrets\""},
      {R"({"secrets": {}})", "is no JSON object with a list of \"secrets\""},
      {R"({"secrets": ["hunter2"]})", "secrets[0]: must be an object"},
      {R"({"secrets": [{"name": "T", "placeholder": "x"}]})",
       "secrets[0]: a secret has \"name\", \"value\" and perhaps \"placeholder\", each a string"},
      {R"({"secrets": [{"name": "T", "value": "hunter2", "placeholder": "short"}]})",
       "secrets[0]: the placeholder is not 32 to 256 letters, digits and \"-_.\""},
  };
  for (const auto& [json, words] : cases) EXPECT_EQ(CredentialValues::parse(json).error().message(), words) << json;
  EXPECT_EQ(CredentialValues::parse(R"({"secrets": [{"name": "T", "value": "hunter2"}]})")->find("T")->placeholder, "");
}

}  // namespace
}  // namespace gatehouse::proxy
