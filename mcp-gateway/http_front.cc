#include "mcp-gateway/http_front.h"

#include <algorithm>
#include <optional>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "proxy/authority.h"

namespace gatehouse::mcp {

namespace {

using proxy::Field;
using proxy::Fields;
using proxy::same_token;

constexpr std::string_view kSessionField = "Mcp-Session-Id";
constexpr std::string_view kRevisionField = "MCP-Protocol-Version";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kEvents = "text/event-stream";
constexpr std::string_view kBatchRevision = "2025-03-26";
constexpr std::string_view kSourceRule = "mcp.origin";

// This machine by any of its names.
bool is_loopback(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

bool is_loopback_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const auto authority = proxy::parse_authority(origin.substr(scheme.size()));
    return authority && is_loopback(authority->host);
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A media type without its parameters.
std::string_view without_parameters(std::string_view type) { return trimmed(type.substr(0, type.find(';'))); }

// Whether an answer of that type can be read (RFC 9110 section 12.5.1); without Accept any can. Weights are not looked
// at.
bool accepts(const Fields& fields, std::string_view type) {
  if (proxy::find_field(fields, "Accept") == nullptr) return true;
  const std::string all = proxy::joined_values(fields, "Accept");
  std::string_view left = all;
  while (!left.empty()) {
    const size_t comma = std::min(left.find(','), left.size());
    const auto range = without_parameters(left.substr(0, comma));
    left.remove_prefix(std::min(comma + 1, left.size()));
    const bool some =
        range.ends_with("/*") && same_token(range.substr(0, range.size() - 1), type.substr(0, range.size() - 1));
    if (range == "*/*" || some || same_token(range, type)) return true;
  }
  return false;
}

// The one value of a field; null when it is not there, an error when it is there twice.
tl::expected<const std::string*, RpcError> single(const Fields& fields, std::string_view name) {
  const std::string* value = nullptr;
  for (const Field& field : fields) {
    if (!same_token(field.name, name)) continue;
    if (value != nullptr) return tl::unexpected(RpcError{kInvalidRequest, fmt::format("{} is given twice", name)});
    value = &field.value;
  }
  return value;
}

// Why a request is not served whatever it asks for, or "". Who asks without a browser sends no Origin.
std::string_view foreign_source(const proxy::RequestHead& head) {
  for (const Field& field : head.fields) {
    if (same_token(field.name, "Origin") && !is_loopback_origin(field.value)) {
      return "the request is from a page of another site (Origin)";
    }
  }
  return is_loopback(head.host) ? "" : "the request is for another host than this one (Host)";
}

// The revision that a request of 2026-07-28 says it is of.
const Value* revision_of(const Message& message) {
  const Value* meta = find(message.params, "_meta");
  return meta == nullptr ? nullptr : find(*meta, "io.modelcontextprotocol/protocolVersion");
}

// Told by its header field, too, since what it lacks is then refused in that revision's words.
bool is_stateless(const proxy::RequestHead& head, const std::vector<Message>& messages) {
  const auto* field = proxy::find_field(head.fields, kRevisionField);
  return (field != nullptr && field->value == kModern) ||
         std::any_of(messages.begin(), messages.end(), [](const auto& one) { return revision_of(one) != nullptr; });
}

std::string revisions() {
  std::string all;
  for (const auto revision : kRevisions) all.append(all.empty() ? "" : ", ").append(revision);
  return all;
}

}  // namespace

void HttpFront::request(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now) {
  exchanges_.remove_if([](const auto& exchange) { return exchange.over(); });
  if (const auto why = foreign_source(head); !why.empty()) return refuse_source(why, reply);
  if (const auto served = serve(head, body, reply, now); !served) {
    gateway_.refused(served.error().error.code, "");
    reply.answer(served.error().status, "", error_line(served.error().id, served.error().error));
  }
}

void HttpFront::unsound() { gateway_.refused(kInvalidRequest, ""); }

void HttpFront::refuse_source(std::string_view why, HttpReply& reply) {
  audit::McpCall row;
  row.event_id = make_uuid();
  row.trace_id = make_uuid();
  row.decision = {Verdict::deny, std::string(kSourceRule), std::string(why)};
  row.method = "http";
  row.arguments = "{}";
  auto told = error_line(nullptr, {kDenied,
                                   fmt::format("Gatehouse denied the request: {}", why),
                                   {{"rule", kSourceRule}, {"event_id", row.event_id}}});
  const auto read = std::make_shared<bool>(true);
  reply.gone = [read] { *read = false; };
  record_(std::move(row), [read, told = std::move(told), &reply](const Result<void>&) {  // denied either way
    if (!*read) return;
    reply.gone = nullptr;
    reply.answer(403, "", told);
  });
}

HttpFront::Checked HttpFront::serve(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now) {
  const auto refuse = [](int status, std::string words) {
    return tl::unexpected(Refused{status, {kInvalidRequest, std::move(words)}});
  };
  if (head.path != kEndpoint) return refuse(404, fmt::format("the endpoint is {}", kEndpoint));
  if (head.method == "POST") return post(head, body, reply, now);
  if (head.method != "GET" && head.method != "DELETE") return refuse(405, "POST, GET and DELETE are understood here");
  if (!body.empty()) return refuse(400, "a body has no meaning here");
  if (head.method == "GET") return get(head, reply, now);
  const auto session = session_of(head);
  if (!session) return tl::unexpected(session.error());
  std::erase_if(sessions_, [&](const auto& entry) { return entry.second.get() == *session; });
  reply.answer(204, "", "");
  return {};
}

// The session that the request names. Of the revisions that are spoken here the field may name another one than was
// negotiated, as some clients do; the session goes on in the latter.
tl::expected<HttpSession*, HttpFront::Refused> HttpFront::session_of(const proxy::RequestHead& head) {
  const auto refuse = [](int status, std::string words) {
    return tl::unexpected(Refused{status, {kInvalidRequest, std::move(words)}});
  };
  const auto revision = single(head.fields, kRevisionField);
  if (!revision) return tl::unexpected(Refused{400, revision.error()});
  if (*revision != nullptr &&
      std::find(std::begin(kRevisions), std::end(kRevisions), **revision) == std::end(kRevisions)) {
    return refuse(400, fmt::format("{} is none of {}", kRevisionField, revisions()));
  }
  const auto id = single(head.fields, kSessionField);
  if (!id) return tl::unexpected(Refused{400, id.error()});
  if (*id == nullptr) {
    return refuse(
        400, fmt::format("{} is missing: a session begins with initialize, in one of {}", kSessionField, revisions()));
  }
  const auto found = sessions_.find(**id);
  if (found == sessions_.end()) return refuse(404, "there is no such session any more; initialize another one");
  return found->second.get();
}

HttpFront::Checked HttpFront::post(const proxy::RequestHead& head, std::string_view body, HttpReply& reply, Time now) {
  const auto refuse = [](int status, int code, std::string words) {
    return tl::unexpected(Refused{status, {code, std::move(words)}});
  };
  const auto type = single(head.fields, "Content-Type");
  if (!type) return tl::unexpected(Refused{400, type.error()});
  if (*type == nullptr || !same_token(without_parameters(**type), kJson)) {
    return refuse(415, kInvalidRequest, "Content-Type must be application/json");
  }
  if (proxy::find_field(head.fields, "Content-Encoding") != nullptr) {
    return refuse(415, kInvalidRequest, "the body must not be encoded");
  }
  if (!accepts(head.fields, kJson) || !accepts(head.fields, kEvents)) {
    return refuse(406, kInvalidRequest, "Accept must list application/json and text/event-stream");
  }
  auto value = json::read(body, kMessageLimits);
  if (!value) return refuse(400, kParseError, "the body is refused: " + value.error().message());
  const bool batch = value->is_array();
  std::vector<Message> messages;
  std::vector<Value> elements;
  if (batch) {
    if (value->empty() || value->size() > kMaxBatch) {
      return refuse(400, kInvalidRequest, fmt::format("a batch has 1 to {} messages", kMaxBatch));
    }
    elements = std::move(*value->get_ptr<Value::array_t*>());
  } else {
    elements.push_back(std::move(*value));
  }
  for (auto& element : elements) {
    auto message = parse_message(std::move(element));
    if (!message) return refuse(400, kInvalidRequest, message.error().message());
    messages.push_back(std::move(*message));
  }
  if (is_stateless(head, messages)) return stateless(head, std::move(messages), reply, now);
  const bool opens = !batch && messages[0].kind == Message::Kind::request && messages[0].method == "initialize" &&
                     proxy::find_field(head.fields, kSessionField) == nullptr;
  if (opens) return open_session(std::move(messages[0]), reply, now);
  const auto session = session_of(head);
  if (!session) return tl::unexpected(session.error());
  if (batch && (*session)->revision() != kBatchRevision) {
    return refuse(400, kInvalidRequest, fmt::format("there are no batches in revision {}", (*session)->revision()));
  }
  if (auto ok = (*session)->post(std::move(messages), reply, now); !ok) {
    return refuse(400, kInvalidRequest, ok.error().message());
  }
  return {};
}

// What the header fields say is compared with the body, so that whoever judges by the former is not deceived.
HttpFront::Checked HttpFront::stateless(const proxy::RequestHead& head, std::vector<Message> messages, HttpReply& reply,
                                        Time now) {
  Message& message = messages[0];
  const auto refuse = [&](int code, std::string words) {
    return tl::unexpected(Refused{400, {code, std::move(words)}, message.id});
  };
  if (messages.size() > 1) return refuse(kInvalidRequest, fmt::format("there are no batches in revision {}", kModern));
  if (message.kind == Message::Kind::notification) {
    reply.answer(202, "", "");
    return {};
  }
  if (message.kind != Message::Kind::request) return refuse(kInvalidRequest, "nothing was asked that this answers");
  const auto revision = single(head.fields, kRevisionField);
  const Value* told = revision_of(message);
  const auto* text = told == nullptr ? nullptr : told->get_ptr<const std::string*>();
  if (text != nullptr && (!revision || *revision == nullptr || **revision != *text)) {
    return refuse(kHeaderMismatch, fmt::format("{} does not say the revision in the body", kRevisionField));
  }
  if (text != nullptr && *text == kModern) {
    if (auto why = header_mismatch(head.fields, message, gateway_.catalogue(ListKind::tools))) {
      return refuse(kHeaderMismatch, std::move(*why));
    }
  }
  exchanges_.emplace_back(gateway_, reply, now).take(std::move(message));
  return {};
}

HttpFront::Checked HttpFront::get(const proxy::RequestHead& head, HttpReply& reply, Time now) {
  const auto refuse = [](int status, std::string words) {
    return tl::unexpected(Refused{status, {kInvalidRequest, std::move(words)}});
  };
  if (!accepts(head.fields, kEvents)) return refuse(406, "Accept must list text/event-stream");
  const auto session = session_of(head);
  if (!session) return tl::unexpected(session.error());
  const auto last = single(head.fields, "Last-Event-ID");
  if (!last) return tl::unexpected(Refused{400, last.error()});
  if (*last == nullptr) {
    (*session)->listen(reply, now);
  } else if (auto ok = (*session)->resume(**last, reply, now); !ok) {
    return refuse(400, ok.error().message());
  }
  return {};
}

HttpFront::Checked HttpFront::open_session(Message message, HttpReply& reply, Time now) {
  if (auto ok = make_room(); !ok) return ok;
  std::string id = make_token();
  auto session = std::make_unique<HttpSession>(gateway_, id, now);
  std::vector<Message> messages;
  messages.push_back(std::move(message));
  (void)session->post(std::move(messages), reply, now);  // the first of its ids is in use by none
  if (!session->revision().empty()) sessions_.emplace(std::move(id), std::move(session));
  return {};
}

HttpFront::Checked HttpFront::make_room() {
  if (sessions_.size() < kMaxHttpSessions) return {};
  const auto oldest = std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
    return a.second->last_used() < b.second->last_used();
  });
  if (oldest->second->idle()) {
    sessions_.erase(oldest);
    return {};
  }
  return tl::unexpected(Refused{503, {kBusy, "too many sessions at once"}});
}

void HttpFront::tick(Time now) {
  exchanges_.remove_if([](const auto& exchange) { return exchange.over(); });
  for (auto& exchange : exchanges_) exchange.tick(now);
  std::erase_if(sessions_, [now](const auto& entry) { return entry.second->over(now); });
  for (const auto& [id, session] : sessions_) session->tick(now);
}

}  // namespace gatehouse::mcp
