#include "mcp-gateway/message.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kVersion = "2.0";

std::string line_of(Value message) {
  message["jsonrpc"] = kVersion;
  return json::write(message) + '\n';
}

}  // namespace

const Value* find(const Value& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto& members = object.get_ref<const Value::object_t&>();
  const auto found = members.find(std::string(name));
  return found == members.end() ? nullptr : &found->second;
}

const std::string* find_text(const Value& object, std::string_view name) {
  const Value* value = find(object, name);
  return value == nullptr ? nullptr : value->get_ptr<const std::string*>();
}

bool is_id(const Value& id) {
  if (id.is_string()) return id.get_ref<const std::string&>().size() <= kMaxIdBytes;
  return id.is_number_integer();
}

Result<Message> parse_message(Value value) {
  if (!value.is_object()) return fail("a message must be an object");
  const std::string* version = find_text(value, "jsonrpc");
  if (version == nullptr || *version != kVersion) return fail("\"jsonrpc\" must be \"2.0\"");
  Message message;
  const Value* id = find(value, "id");
  const Value* method = find(value, "method");
  const Value* result = find(value, "result");
  const Value* error = find(value, "error");
  if ((method != nullptr) + (result != nullptr) + (error != nullptr) != 1) {
    return fail("a message has one of \"method\", \"result\" and \"error\"");
  }
  if (id != nullptr && !is_id(*id) && !(error != nullptr && id->is_null())) {
    return fail("\"id\" must be a text of up to {} bytes or an integer", kMaxIdBytes);
  }
  if (id == nullptr && result != nullptr) return fail("a result without an \"id\"");
  if (id != nullptr) message.id = *id;
  if (method != nullptr) {
    const auto* name = method->get_ptr<const std::string*>();
    if (name == nullptr || name->empty() || name->size() > kMaxMethodBytes) return fail("\"method\" is no name");
    message.kind = id == nullptr ? Message::Kind::notification : Message::Kind::request;
    message.method = *name;
    if (auto params = value.find("params"); params != value.end()) {
      if (!params->is_object()) return fail("\"params\" must be an object");
      message.params = std::move(*params);
    }
    return message;
  }
  message.kind = result != nullptr ? Message::Kind::result : Message::Kind::error;
  message.content = std::move(value[result != nullptr ? "result" : "error"]);
  if (!message.content.is_object()) return fail("\"result\" and \"error\" must be objects");
  return message;
}

std::string request_line(const Value& id, std::string_view method, Value params) {
  return line_of({{"id", id}, {"method", method}, {"params", std::move(params)}});
}

std::string notification_line(std::string_view method, Value params) {
  if (params.empty()) return line_of({{"method", method}});
  return line_of({{"method", method}, {"params", std::move(params)}});
}

std::string result_line(const Value& id, Value result) { return line_of({{"id", id}, {"result", std::move(result)}}); }

std::string error_line(const Value& id, const RpcError& error) {
  Value object = {{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) object["data"] = error.data;
  return line_of({{"id", id}, {"error", std::move(object)}});
}

}  // namespace gatehouse::mcp
