#include "mcp-gateway/refusals.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/uuid.h"
#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

namespace {

// Of all revisions; what is none of these is the guest's own word.
constexpr std::string_view kKnownMethods[] = {"completion/complete",
                                              "initialize",
                                              "logging/setLevel",
                                              "ping",
                                              "prompts/get",
                                              "prompts/list",
                                              "resources/list",
                                              "resources/read",
                                              "resources/subscribe",
                                              "resources/templates/list",
                                              "resources/unsubscribe",
                                              "server/discover",
                                              "subscriptions/listen",
                                              "tasks/cancel",
                                              "tasks/get",
                                              "tasks/list",
                                              "tasks/result",
                                              "tasks/update",
                                              "tools/call",
                                              "tools/list"};

}  // namespace

std::optional<audit::McpCall> Refusals::refused(int code, std::string_view method, Time now) {
  switch (code) {
    case kParseError:
      return row("mcp.malformed", "what the client wrote is no JSON that all readers take alike", "", now);
    case kMethodNotFound:
      return row("mcp.uncarried", "the client asks for what this gateway does not carry", method, now);
    case kBusy:
      return row("mcp.limit", "the client asks for too much at once", method, now);
    default:
      return row("mcp.protocol", "what the client wrote breaks the protocol", method, now);
  }
}

std::optional<audit::McpCall> Refusals::turned_away(Time now) {
  return row("mcp.limit",
             "there are as many clients as there may be at once, or they make the gateway hold as much as it may", "",
             now);
}

std::optional<audit::McpCall> Refusals::row(std::string_view rule, std::string_view words, std::string_view method,
                                            Time now) {
  auto [at, fresh] = kinds_.try_emplace(std::string(rule));
  Kind& kind = at->second;
  if (fresh) kind.since = now;
  const auto gained = static_cast<size_t>(std::max<int64_t>((now - kind.since) / kRefusalRowEvery, 0));
  kind.left = std::min(kRefusalRowsAtOnce, kind.left + std::min(gained, kRefusalRowsAtOnce));
  kind.since += gained * kRefusalRowEvery;
  if (kind.left == 0) {
    ++kind.untold;
    return std::nullopt;
  }
  --kind.left;
  audit::McpCall row;
  row.trace_id = make_uuid();
  row.decision = {Verdict::deny, std::string(rule), std::string(words)};
  if (const auto untold = std::exchange(kind.untold, 0); untold > 0) {
    row.decision.reason += fmt::format("; {} more like it before this have no row", untold);
  }
  const bool known = std::find(std::begin(kKnownMethods), std::end(kKnownMethods), method) != std::end(kKnownMethods);
  if (known) row.method = method;
  row.arguments = "{}";
  return row;
}

}  // namespace gatehouse::mcp
