#include "mcp-gateway/http_exchange.h"

#include <algorithm>

#include "mcp-gateway/header_parameters.h"
#include "mcp-gateway/http_session.h"

namespace gatehouse::mcp {

namespace {

using proxy::Field;
using proxy::same_token;

constexpr std::string_view kAlive = ": \n\n";
constexpr std::string_view kParameterPrefix = "Mcp-Param-";

int status_of(int code) {
  switch (code) {
    case kMethodNotFound:
      return 404;
    case kParseError:
    case kInvalidRequest:
    case kInvalidParams:
    case kHeaderMismatch:
    case kNoCapability:
    case kNoRevision:
      return 400;
    default:
      return 200;
  }
}

// The one value of a field as text; nothing: it is not there once, or cannot be decoded.
std::optional<std::string> value_of(const proxy::Fields& fields, std::string_view name) {
  std::optional<std::string> value;
  for (const Field& field : fields) {
    if (!same_token(field.name, name)) continue;
    if (value) return std::nullopt;
    value = text_of_field(field.value);
    if (!value) return std::nullopt;
  }
  return value;
}

// 42 and 42.0 are one.
bool same_value(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto number = [](const std::string& text) -> std::optional<double> {
    const auto value = json::read(text);
    if (!value || !value->is_number()) return std::nullopt;
    return value->get<double>();
  };
  const auto one = number(a), other = number(b);
  return one && other && !(*one < *other) && !(*one > *other);
}

// What Mcp-Name must say, if anything.
const std::string* named(const Message& message) {
  if (message.method == "tools/call" || message.method == "prompts/get") return find_text(message.params, "name");
  return message.method == "resources/read" ? find_text(message.params, "uri") : nullptr;
}

}  // namespace

std::optional<std::string> header_mismatch(const proxy::Fields& fields, const Message& message,
                                           const Catalogue& tools) {
  const auto method = value_of(fields, "Mcp-Method");
  if (!method || *method != message.method) return "Mcp-Method does not say the method of the body";
  const std::string* name = named(message);
  if (name == nullptr) return std::nullopt;
  const auto told = value_of(fields, "Mcp-Name");
  if (!told || *told != *name) return "Mcp-Name does not say the name in the body";
  const Item* tool = message.method == "tools/call" ? tools.find(*name) : nullptr;
  const Value* schema = tool == nullptr ? nullptr : find(tool->definition, "inputSchema");
  if (schema == nullptr) return std::nullopt;
  const Value* arguments = find(message.params, "arguments");
  const auto mirrored = mirrored_parameters(*schema);
  if (!mirrored) return std::nullopt;
  const auto expected = parameter_values(*schema, arguments == nullptr ? Value::object() : *arguments);
  for (const auto& parameter : *mirrored) {
    const std::string field = std::string(kParameterPrefix) + parameter.header;
    const auto wanted =
        std::find_if(expected.begin(), expected.end(), [&](const auto& one) { return one.first == parameter.header; });
    const bool there = proxy::find_field(fields, field) != nullptr;
    if (wanted == expected.end() && !there) continue;
    const auto value = value_of(fields, field);
    if (wanted == expected.end() || !value || !same_value(*value, wanted->second)) {
      return fmt::format("{} does not say the argument in the body", field);
    }
  }
  return std::nullopt;
}

HttpExchange::HttpExchange(Gateway& gateway, HttpReply& reply, Time now)
    : gateway_(gateway), reply_(&reply), now_(now), said_(now) {
  client_ = gateway_.add_client({.send = [](std::string_view) {},  // nothing is said outside of its requests
                                 .broken = [](const Error&) {},    // it is given no bytes
                                 .crowded = [this] { return reply_ == nullptr || reply_->crowded(); },
                                 .about = [this](const Value&, std::string_view line,
                                                 const Client::Told& told) { said(line, told.last, told.code); }},
                                true);
  reply.gone = [this] {
    reply_ = nullptr;
    gateway_.remove_client(std::exchange(client_, nullptr));
  };
}

HttpExchange::~HttpExchange() {
  if (client_ != nullptr) gateway_.remove_client(client_);
  if (reply_ != nullptr) reply_->gone = nullptr;
}

void HttpExchange::take(Message request) { client_->take(std::move(request)); }

void HttpExchange::said(std::string_view line, bool last, int code) {
  if (reply_ == nullptr) return;
  while (line.ends_with('\n')) line.remove_suffix(1);
  said_ = now_;
  if (!last) {
    begin_events();
    return reply_->write_events(fmt::format("data: {}\n\n", line));
  }
  HttpReply& reply = *std::exchange(reply_, nullptr);
  reply.gone = nullptr;
  if (!events_) return reply.answer(status_of(code), "", line);
  if (!line.empty()) reply.write_events(fmt::format("data: {}\n\n", line));
  reply.end_events();
}

void HttpExchange::begin_events() {
  if (!std::exchange(events_, true)) reply_->begin_events();
}

void HttpExchange::tick(Time now) {
  now_ = now;
  if (reply_ == nullptr || now - said_ < kQuietTime) return;
  said_ = now;
  begin_events();
  reply_->write_events(kAlive);
}

}  // namespace gatehouse::mcp
