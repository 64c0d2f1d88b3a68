#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr size_t kMaxServerNameBytes = 32;
constexpr size_t kMaxCommandWords = 256;
constexpr std::string_view kNamesWords[] = {"prefixed", "own"};

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// A server's name is the first part of what its tools are called, so it holds no "__" and leaves room for a tool's
// name.
bool is_server_name(std::string_view name) {
  return is_id(name) && name.size() <= kMaxServerNameBytes && name.find("__") == std::string_view::npos &&
         !name.starts_with('_') && !name.ends_with('_');
}

Result<std::string> parse_absolute_path(const std::string& path) {
  if (!path.starts_with('/') || has_control_character(path)) {
    return fail("'{}' is no absolute path", log::printable(path, 64));
  }
  return path;
}

Result<McpSandbox> read_sandbox(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, Kind::object, "sandbox", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpSandboxKeys); !ok) return failed(ok);
  McpSandbox sandbox;
  for (const auto& [key, into] :
       {std::pair{std::string_view("read"), &sandbox.read}, std::pair{std::string_view("write"), &sandbox.write}}) {
    const JsonNode* list = node.find(key);
    if (list == nullptr) continue;
    auto paths = reader.parsed_strings<std::string>(*list, key, parse_absolute_path);
    if (!paths) return failed(paths);
    *into = std::move(*paths);
  }
  if (const JsonNode* network = node.find("network")) {
    if (network->kind != Kind::boolean) return reader.refuse(network->offset, "'network' must be true or false");
    sandbox.network = network->boolean;
  }
  return sandbox;
}

Result<McpAsk> read_ask(const FieldReader& reader, const JsonNode& node) {
  const auto word = reader.word_of(node, "asks", kMcpAskNames);
  if (!word) return failed(word);
  const auto at = std::find(std::begin(kMcpAskNames), std::end(kMcpAskNames), *word);
  return static_cast<McpAsk>(at - std::begin(kMcpAskNames));
}

Result<void> read_endpoint(const FieldReader& reader, const JsonNode& server, const JsonNode& node,
                           std::optional<McpEndpoint>& into) {
  for (const auto key : {"command", "cwd", "env", "sandbox"}) {
    if (const JsonNode* other = server.find(key)) {
      return reader.refuse(other->offset, fmt::format("'{}' is of no use beside \"url\": nothing is started", key));
    }
  }
  const auto text = reader.text_of(node, "url");
  if (!text) return failed(text);
  auto url = parse_plain_url(*text);
  if (!url) {
    return reader.refuse(node.offset,
                         fmt::format("'{}' is no URL: {}", log::printable(*text, 64), url.error().message()));
  }
  if (url->scheme != "https" || text->find('#') != std::string::npos) {
    return reader.refuse(node.offset, "a server's URL begins with https:// and has no '#'");
  }
  if (looks_like_ip(url->host)) return reader.refuse(node.offset, "a server's URL has its host's name, not an address");
  into = McpEndpoint{std::move(url->host), url->port, std::move(url->path)};
  return {};
}

Result<void> read_command(const FieldReader& reader, const JsonNode& node, std::vector<std::string>& into) {
  if (node.find("command") == nullptr) {
    return reader.refuse(node.offset, "a server has a \"command\" to start it, or the \"url\" it is at");
  }
  const auto command = reader.required(node, "command");
  if (!command) return failed(command);
  auto words =
      reader.parsed_strings<std::string>(**command, "command", [](const std::string& word) -> Result<std::string> {
        if (word.find('\0') != std::string::npos) return fail("a NUL in a command");
        return word;
      });
  if (!words) return failed(words);
  if (words->empty() || words->front().empty()) return reader.refuse((*command)->offset, "the command is empty");
  if (words->size() > kMaxCommandWords) {
    return reader.refuse((*command)->offset, fmt::format("the command has more than {} words", kMaxCommandWords));
  }
  into = std::move(*words);
  return {};
}

Result<McpServer> read_server(const FieldReader& reader, const JsonMember& member) {
  const JsonNode& node = member.value;
  if (!is_server_name(member.key)) {
    return reader.refuse(member.offset,
                         fmt::format("'{}' is no name of a server: 1 to {} letters, digits, '-' and single '_' inside",
                                     log::printable(member.key, 64), kMaxServerNameBytes));
  }
  if (auto ok = reader.expect_kind(node, Kind::object, member.key, "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kMcpServerKeys); !ok) return failed(ok);
  McpServer server;
  server.name = member.key;
  if (const JsonNode* url = node.find("url")) {
    if (auto ok = read_endpoint(reader, node, *url, server.endpoint); !ok) return failed(ok);
  } else if (auto ok = read_command(reader, node, server.command); !ok) {
    return failed(ok);
  }
  if (const JsonNode* said = node.find("oauth")) {
    if (!server.endpoint) return reader.refuse(said->offset, "'oauth' is for servers with a \"url\"");
    auto oauth = read_mcp_oauth(reader, *said);
    if (!oauth) return failed(oauth);
    server.oauth = std::move(*oauth);
  }
  if (const JsonNode* cwd = node.find("cwd")) {
    const auto text = reader.text_of(*cwd, "cwd");
    if (!text) return failed(text);
    auto directory = parse_absolute_path(*text);
    if (!directory) return reader.refuse(cwd->offset, directory.error().message());
    server.directory = std::move(*directory);
  }
  if (const JsonNode* env = node.find("env")) {
    auto names = reader.parsed_strings<std::string>(*env, "env", [](const std::string& name) -> Result<std::string> {
      return name;  // whether there is such a secret is known once the file is read
    });
    if (!names) return failed(names);
    server.secrets = std::move(*names);
  }
  if (const JsonNode* call_time = node.find("call_time")) {
    const auto time = read_waiting_time(reader, *call_time, "call_time");
    if (!time) return failed(time);
    server.call_time = *time;
  }
  if (auto ok = read_budget(reader, node, "budget", server.budget); !ok) return failed(ok);
  if (const JsonNode* node_of_sandbox = node.find("sandbox")) {
    auto sandbox = read_sandbox(reader, *node_of_sandbox);
    if (!sandbox) return failed(sandbox);
    server.sandbox = std::move(*sandbox);
  }
  if (const JsonNode* new_tools = node.find("new_tools")) {
    const auto word = reader.word_of(*new_tools, "new_tools", kNewToolsNames);
    if (!word) return failed(word);
    server.new_tools = *word == kNewToolsNames[0] ? NewTools::pin : NewTools::approve;
  }
  if (const JsonNode* others = node.find("shares_names_with")) {
    auto names = reader.parsed_strings<std::string>(
        *others, "shares_names_with", [](const std::string& name) -> Result<std::string> {
          return name;  // whether there is such a server is known once the section is read
        });
    if (!names) return failed(names);
    server.shares_names_with = std::move(*names);
  }
  if (const JsonNode* names = node.find("names")) {
    const auto word = reader.word_of(*names, "names", kNamesWords);
    if (!word) return failed(word);
    server.own_names = *word == "own";
  }
  if (const JsonNode* asks = node.find("asks")) {
    auto list = reader.list_of_items<McpAsk>(*asks, "asks", "a list of strings",
                                             [&](const JsonNode& item) { return read_ask(reader, item); });
    if (!list) return failed(list);
    server.asks = std::move(*list);
  }
  return server;
}

}  // namespace

Result<McpRules> read_mcp(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, Kind::object, "mcp", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, kMcpKeys); !ok) return failed(ok);
  McpRules rules;
  if (const JsonNode* servers = section.find("servers")) {
    if (auto ok = reader.expect_kind(*servers, Kind::object, "servers", "an object"); !ok) return failed(ok);
    for (const auto& member : servers->members) {
      auto server = read_server(reader, member);
      if (!server) return failed(server);
      const JsonNode* names = member.value.find("names");
      rules.servers.push_back({std::move(*server), reader.place_at(member.offset),
                               reader.place_at(names == nullptr ? member.offset : names->offset)});
    }
  }
  for (const auto& [key, subject] :
       {std::pair{"tools", McpSubject::tool}, {"resources", McpSubject::resource}, {"prompts", McpSubject::prompt}}) {
    const JsonNode* list = section.find(key);
    if (list == nullptr) continue;
    auto read = read_mcp_rules(reader, *list, subject);
    if (!read) return failed(read);
    std::move(read->begin(), read->end(), std::back_inserter(rules.rules));
  }
  return rules;
}

}  // namespace gatehouse::policy
