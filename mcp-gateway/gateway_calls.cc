// Which server a client's request is for, and what it is called there.
#include <algorithm>

#include "mcp-gateway/gateway.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kMaxCompletionBytes = 2 << 10;
constexpr size_t kBytesOfValue = 128;  // that one takes in memory, besides its text

tl::unexpected<RpcError> refuse(int code, std::string words) {
  return tl::unexpected(RpcError{code, std::move(words), nullptr});
}

// "server__tool" taken apart; a server's name has no "__".
std::pair<std::string, std::string> split(const std::string& shown) {
  const size_t at = shown.find(kBetweenNames);
  if (at == std::string::npos) return {"", shown};
  return {shown.substr(0, at), shown.substr(at + kBetweenNames.size())};
}

size_t values_of(const Value& value) {
  size_t count = 1;
  if (value.is_structured()) {
    for (const auto& one : value) count += values_of(one);
  }
  return count;
}

bool is_uri(const std::string& text) {
  return !text.empty() && text.size() <= kMaxUriBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Answers to what was not asked yet (2026-07-28, basic/patterns/mrtr), for a server that may ask at all: it may do with
// them what it likes.
void add_responses(CarriedRequest& request, const policy::McpServer* server, Value& params) {
  const auto given = request.params.find("inputResponses");
  if (given == request.params.end() || server == nullptr || server->asks.empty()) return;
  params["inputResponses"] = std::move(*given);
}

// Of a prompt's arguments their names, as a schema says them.
Value schema_of_prompt(const Value& definition) {
  Value schema = {{"properties", Value::object()}};
  const Value* arguments = find(definition, "arguments");
  if (arguments == nullptr || !arguments->is_array()) return schema;
  for (const auto& argument : *arguments) {
    if (const std::string* name = find_text(argument, "name")) schema["properties"][*name] = Value::object();
  }
  return schema;
}

}  // namespace

Decision Gateway::objection_to(const List& list, const std::string& name) const {
  if (const auto of = withheld_.find(list); of != withheld_.end()) {
    if (const auto known = of->second.find(name); known != of->second.end()) return known->second.why;
  }
  if (const auto away = away_.find(list.first); away != away_.end()) {
    return away->second;
  }
  const auto& words = words_of(list.second);
  return {Verdict::deny, std::string(kUnlistedRule),
          settled() ? fmt::format("there is no such {} here; {} shows those there are", words.one, words.method)
                    : fmt::format("not all servers have listed their {}s yet; try again in a moment", words.one)};
}

tl::expected<std::unique_ptr<Call>, RpcError> Gateway::call(CarriedRequest request, Call::Callbacks callbacks) {
  auto asked = resolve(request);
  if (!asked) return tl::unexpected(std::move(asked.error()));
  asked->method = std::move(request.method);
  asked->capabilities = std::move(request.capabilities);
  asked->log_level = std::move(request.log_level);
  asked->progress = request.progress;
  asked->room = std::make_unique<Room::Share>(room_);
  const bool alone = asked->what == Call::What::tool && !asked->params.contains("inputResponses");
  const Value& told = alone ? asked->params["arguments"] : asked->params;
  asked->params_bytes = json::write(told).size();
  if (!asked->room->resize(asked->params_bytes + kBytesOfValue * values_of(told))) {
    return refuse(kBusy, "too much is asked for at once, by all clients; wait for answers");
  }
  return std::make_unique<Call>(tools_, std::move(*asked), std::move(callbacks));
}

Gateway::Resolved Gateway::resolve(CarriedRequest& request) const {
  if (request.method == "tools/call") return resolve_named(request, ListKind::tools);
  if (request.method == "prompts/get") return resolve_named(request, ListKind::prompts);
  if (request.method == "completion/complete") return resolve_completion(request);
  return resolve_resource(request);
}

// A tool or a prompt.
Gateway::Resolved Gateway::resolve_named(CarriedRequest& request, ListKind kind) const {
  const auto& words = words_of(kind);
  const std::string* name = find_text(request.params, "name");
  if (name == nullptr || name->empty())
    return refuse(kInvalidParams, fmt::format("\"name\" of the {} is missing", words.one));
  Asked asked;
  asked.what = kind == ListKind::tools ? Call::What::tool : Call::What::prompt;
  asked.shown = *name;
  Value arguments = Value::object();
  if (auto given = request.params.find("arguments"); given != request.params.end() && !given->is_null()) {
    if (!given->is_object()) return refuse(kInvalidParams, "\"arguments\" must be an object");
    arguments = std::move(*given);
  }
  const auto policy = tools_.policy.get();
  if (const Item* item = catalogue(kind).find(asked.shown)) {
    asked.server = item->server;
    asked.name = item->name;
    asked.pin = kind == ListKind::tools ? item->pin : "";
    asked.task_only = item->task_only;
    if (kind == ListKind::prompts) {
      asked.schema = schema_of_prompt(item->definition);
    } else if (const Value* schema = find(item->definition, "inputSchema")) {
      asked.schema = *schema;
    }
  } else {
    std::tie(asked.server, asked.name) = split(asked.shown);
    for (const auto& server : policy->mcp_servers()) {
      if (server.own_names) std::tie(asked.server, asked.name) = std::pair(server.name, asked.shown);
    }
    if (!upstreams_.contains(asked.server)) asked.server.clear();
    const auto known = listed_.find({asked.server, kind});
    asked.listed = known != listed_.end() &&
                   std::any_of(known->second.begin(), known->second.end(),
                               [&](const Item& one) { return one.name == asked.name && one.name_is_clean; });
    asked.withheld = objection_to({asked.server, kind}, asked.name);
  }
  const auto* of = declared(*policy, asked.server);
  asked.own_names = of != nullptr && of->own_names;
  asked.params = {{"name", asked.name}, {"arguments", std::move(arguments)}};
  add_responses(request, of, asked.params);
  return asked;
}

Gateway::Resolved Gateway::resolve_resource(CarriedRequest& request) const {
  const std::string* shown = find_text(request.params, "uri");
  if (shown == nullptr) return refuse(kInvalidParams, "\"uri\" of the resource is missing");
  if (!is_uri(*shown)) {
    return refuse(kInvalidParams, fmt::format("\"uri\" must be of printable ASCII, of up to {} bytes", kMaxUriBytes));
  }
  Asked asked;
  asked.what = Call::What::resource;
  asked.shown = *shown;
  asked.schema = Value::object();
  asked.params = Value::object();
  const auto policy = tools_.policy.get();
  for (const auto& server : policy->mcp_servers()) {
    auto uri = uri_of(server.name, *shown, server.own_names);
    if (!uri) continue;
    asked.server = server.name;
    asked.name = std::move(*uri);
    asked.own_names = server.own_names;
    add_responses(request, &server, asked.params);
    break;
  }
  // One that is not listed may come of a template.
  asked.listed = catalogue(ListKind::resources).find(*shown) != nullptr;
  const List list{asked.server, ListKind::resources};
  const auto held_back = withheld_.find(list);
  if (asked.server.empty()) {
    asked.name = *shown;
    asked.withheld = objection_to(list, *shown);
  } else if (held_back != withheld_.end() && held_back->second.contains(asked.name)) {
    asked.withheld = held_back->second.at(asked.name).why;
  }
  asked.params["uri"] = asked.name;
  return asked;
}

Gateway::Resolved Gateway::resolve_completion(CarriedRequest& request) const {
  const Value* ref = find(request.params, "ref");
  const Value* argument = find(request.params, "argument");
  const std::string* type = ref == nullptr ? nullptr : find_text(*ref, "type");
  const bool of_prompt = type != nullptr && *type == "ref/prompt";
  const bool of_template = type != nullptr && *type == "ref/resource";
  const std::string* shown = ref == nullptr ? nullptr : find_text(*ref, of_prompt ? "name" : "uri");
  const bool sound = (of_prompt || of_template) && shown != nullptr && argument != nullptr &&
                     find_text(*argument, "name") != nullptr && find_text(*argument, "value") != nullptr &&
                     json::write(request.params).size() <= kMaxCompletionBytes;
  if (!sound) return refuse(kInvalidParams, "\"ref\" and \"argument\" do not say what is to be completed");
  Asked asked;
  asked.what = Call::What::completion;
  asked.of_prompt = of_prompt;
  asked.shown = *shown;
  const auto kind = of_prompt ? ListKind::prompts : ListKind::templates;
  const Item* item = catalogue(kind).find(*shown);
  if (item == nullptr && of_template) item = catalogue(ListKind::resources).find(*shown);
  if (item == nullptr) {
    asked.listed = false;
    asked.withheld = objection_to({"", kind}, *shown);
  } else {
    asked.server = item->server;
    asked.name = item->name;
  }
  asked.params = {{"ref", {{"type", *type}, {of_prompt ? "name" : "uri", asked.name}}},
                  {"argument", {{"name", (*argument)["name"]}, {"value", (*argument)["value"]}}}};
  if (const Value* context = find(request.params, "context"); context != nullptr && context->is_object()) {
    asked.params["context"] = *context;
  }
  const auto found = upstreams_.find(asked.server);
  if (found != upstreams_.end() && found->second->ready() && !found->second->offers("completions")) {
    return refuse(kMethodNotFound, fmt::format("the server '{}' completes nothing", asked.server));
  }
  return asked;
}

}  // namespace gatehouse::mcp
