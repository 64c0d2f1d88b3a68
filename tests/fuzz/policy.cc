// The input's first line is a request, the rest a policy. Whatever the policy, reading it ends in a policy or an error
// with a message; whatever the request, a permission holds for it however its path is written.
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/policy/policy.h"
#include "common/policy/request_path.h"
#include "common/policy/request_query.h"

namespace {

using gatehouse::FindingAction;
using gatehouse::Verdict;
using namespace gatehouse::policy;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_word(std::string_view& text, char end) {
  const size_t stop = std::min(text.find(end), text.size());
  const std::string_view word = text.substr(0, stop);
  text.remove_prefix(std::min(stop + 1, text.size()));
  return word;
}

// Policies without knowledge of this machine, whatever its tools are set to.
const Policy& fixed_policy() {
  static const Policy policy = [] {
    auto parsed = Policy::parse({{"fixed.json", R"({"version": 1, "http": [
        {"id": "all", "action": "allow", "hosts": ["a.example.com"], "schemes": ["http", "https"]},
        {"id": "v1", "action": "allow", "hosts": ["b.example.com"], "paths": ["/v1/**"]},
        {"id": "plain", "action": "allow", "hosts": ["c.example.com"], "query": {"mode": "plain"}},
        {"id": "d", "action": "allow", "hosts": ["d.example.com"]},
        {"id": "not-plain", "action": "deny", "hosts": ["d.example.com"], "query": {"mode": "plain"}},
        {"id": "admin", "action": "deny", "hosts": ["a.example.com"], "paths": ["/admin/**", "/**/secret"]}],
        "mcp": {"servers": {"s": {"command": ["x"]}}, "resources": [
        {"id": "docs", "action": "allow", "server": "s", "uris": ["file:///srv/docs/*", "https://*.a.example/**", "x:**"]},
        {"id": "keys", "action": "deny", "server": "s", "uris": ["file:///srv/docs/keys", "https://evil.a.example/**"]}]}})"}});
    require(parsed.has_value());
    return std::move(*parsed);
  }();
  return policy;
}

void judge(const Policy& policy, const HttpRequest& request) {
  const auto decision = policy.judge(request);
  require(!decision.rule_id.empty() && !decision.reason.empty());
  require(decision.reason.find('\n') == std::string::npos);
  if (!decision.allowed()) return;

  // What is allowed has a host that is a name, and no way out of its path.
  require(!gatehouse::looks_like_ip(request.host));
  require(request.path.substr(0, request.path.find('?')).find("/../") == std::string_view::npos);
  // A second slash or another query may narrow, never widen: allowed again, or denied by a rule or by default.
  std::string longer = std::string(request.path) + (request.path.find('?') == std::string_view::npos ? "?q" : "&q");
  HttpRequest same = request;
  same.path = longer;
  const auto again = policy.judge(same);
  require(again.allowed() || &policy != &fixed_policy());
  // What is said twice can be met by no rule that allows.
  if (&policy != &fixed_policy()) return;
  HttpRequest twice = request;
  const std::string doubled = longer + "&mode=plain&Mode=plain";
  twice.path = doubled;
  twice.host = "c.example.com";
  require(!policy.judge(twice).allowed());
}

// The request's own text as a query and as fields, against conditions.
void judge_conditions(std::string_view text) {
  const std::string target = "/?" + std::string(text);
  const HeaderField fields[] = {{"X-Mode", text}};
  const auto query = RequestQuery::parse(target);
  require(query.unreadable() == query.readings().empty());
  HttpRequest request{"https", "c.example.com", 443, "GET", target, fields};
  const bool allowed = fixed_policy().judge(request).allowed();
  // Allowed by what it has, denied by the same: never both, and never neither by being unclear.
  request.host = "d.example.com";
  const bool denied = fixed_policy().judge(request).verdict == Verdict::deny;
  require(allowed <= denied);
  if (query.unreadable()) require(!allowed && denied);
  if (text.find("mode=plain") == std::string_view::npos && text.find('%') == std::string_view::npos) require(!allowed);
}

// A URI that is let through leads nowhere else, and a rule that denies it has the last word however it is written.
void judge_read(const Policy& policy, std::string_view uri) {
  const auto decision = policy.judge(McpRead{"s", uri});
  require(!decision.rule_id.empty() && !decision.reason.empty());
  require(decision.reason.find('\n') == std::string::npos);
  require(policy.may_read("s", uri) || decision.verdict == Verdict::deny || &policy != &fixed_policy());
  if (decision.verdict == Verdict::deny) return;
  require(uri.size() <= 2048 && uri.find(':') != std::string_view::npos);
  for (const char c : uri) require(c > ' ' && c < 0x7f && c != '\\');
  std::string decoded(uri);
  for (int i = 0; i < 5; ++i) {
    require(decoded.find("/../") == std::string::npos && !decoded.ends_with("/.."));
    decoded = decode_escapes(decoded);
  }
  if (&policy != &fixed_policy()) return;
  if (uri.starts_with("file:"))
    require(decoded.starts_with("file:///srv/docs/") && decoded.find('/', 17) > decoded.size());
  require(!decoded.starts_with("file:///srv/docs/keys") || decoded.size() > 21);
  if (!uri.starts_with("https:")) return;
  const std::string_view host = uri.substr(8, uri.find_first_of("/?#", 8) - 8);
  require(host.ends_with(".a.example") && host.find("evil.a.example") == std::string_view::npos);
}

// What is found is never let go by an exemption unless it names the rule and is no canary, and nothing that was not
// scanned is made less of.
void judge_finding(const Policy& policy, std::string_view rule, std::string_view host) {
  for (const std::string_view category : finding_categories()) {
    for (const auto severity : {FindingAction::warn, FindingAction::redact, FindingAction::deny}) {
      const FindingDecision decision = policy.judge(FindingQuestion{rule, category, severity, host});
      require(!decision.cause.empty());
      require((decision.action == FindingAction::exempt) == !decision.exemption.empty());
      if (category == "limits") require(decision.action >= severity);
      if (category == "canaries") require(decision.action != FindingAction::exempt);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view line = take_word(input, '\n');
  const std::string_view method = take_word(line, ' ');
  const std::string_view host = take_word(line, ' ');
  const HttpRequest request{"https", host, 443, method, line};

  judge(fixed_policy(), request);
  HttpRequest to_fixed = request;
  to_fixed.host = "a.example.com";
  judge(fixed_policy(), to_fixed);
  require(to_fixed.path.find("/admin/") != 0 || !fixed_policy().judge(to_fixed).allowed());
  to_fixed.host = "b.example.com";
  if (fixed_policy().judge(to_fixed).allowed()) require(line.starts_with("/v1"));

  judge_conditions(line);
  for (const std::string front : {"", "file:///srv/docs/", "https://"})
    judge_read(fixed_policy(), front + std::string(line));

  const Source source{"fuzz.json", std::string(input), false};
  const auto policy = Policy::parse({source});
  if (!policy) {
    require(policy.error().message().starts_with("fuzz.json") ||
            policy.error().message().find(".json:") != std::string::npos);
    return 0;
  }
  judge(*policy, request);
  judge_finding(*policy, method, host);
  judge_read(*policy, line);
  for (const auto& selector : policy->finding_selectors()) judge_finding(*policy, selector.name, host);
  const Limits& limits = policy->limits();
  require(limits.request_body_bytes >= 1024 && limits.decoded_bytes >= 65536);
  require(limits.decode_depth >= 1 && limits.scan_time.count() >= 10);
  for (const auto& secret : policy->secrets()) require(secret.where.empty() == !secret.command.empty());
  (void)policy->check_finding_rules({});
  policy->run_tests();
  policy->describe();
  (void)policy->explain("dlp " + std::string(method) + " " + std::string(host));
  (void)policy->explain(std::string(method) + " https://" + std::string(host) + std::string(line));
  (void)policy->explain("mcp s t " + std::string(line));
  (void)policy->explain("resource s " + std::string(line));
  (void)policy->explain("prompt s " + std::string(line));
  for (const auto& server : policy->mcp_servers())
    require((server.command.empty() == server.endpoint.has_value()) && !server.name.empty());
  const DnsQuestion question{host, "A"};
  require(policy->judge(question).allowed() <= !gatehouse::looks_like_ip(host));

  // A layer that denies all makes any policy deny all; a copy of itself changes nothing.
  const Source closed{"closed.json", R"({"version": 1})", true};
  const auto narrowed = Policy::parse({closed, source});
  require(narrowed && narrowed->judge(request).verdict == Verdict::deny);
  const auto twice = Policy::parse({source, source});
  require(twice && twice->judge(request).verdict == policy->judge(request).verdict);
  const FindingQuestion finding{method, "credentials", FindingAction::warn, host};
  require(twice->judge(finding).action == policy->judge(finding).action);
  const Source watchful{"watchful.json", R"({"version": 1, "dlp": {"deny": ["credentials"]}})", true};
  const auto watched = Policy::parse({watchful, source});
  require(watched && watched->judge(finding).action == FindingAction::deny);
  return 0;
}
