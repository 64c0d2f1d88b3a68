// gatehouse mcp ls [--session NAME]; gatehouse mcp call TOOL [ARGUMENTS] [--session NAME];
// gatehouse mcp pins [--server NAME] [--waiting]; gatehouse mcp approve SERVER TOOL PIN;
// gatehouse mcp login SERVER [--session NAME]
#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <set>

#include "common/audit/reader.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "common/base/uuid.h"
#include "common/mcp/definition_diff.h"
#include "common/mcp/pin_file.h"
#include "common/mcp/shown_name.h"
#include "launcher/command.h"
#include "launcher/control_client.h"
#include "launcher/login_command.h"
#include "launcher/mcp_client.h"
#include "launcher/paths.h"

namespace gatehouse::launcher {

namespace {

using mcp::PinEntry;
using mcp::PinFile;

struct McpCommandOptions {
  std::string session;
  std::string socket;
  std::string log;
  std::string arguments = "{}";
  std::string file;
  std::string server;
  std::string tool;
  std::string pin;
  std::string browser;
  uint16_t port = 0;
  bool waiting_only = false;
};

constexpr size_t kShownPinDigits = 12;
constexpr size_t kLeastPinDigits = 8;
constexpr size_t kShownDescription = 100;
constexpr char kMcpSocket[] = "mcp";

int refuse(const Error& error) {
  fmt::print(stderr, "gatehouse: {}\n", error.message());
  return kExitFailed;
}

Result<PinFile> open_pins(const McpCommandOptions& options) {
  if (!options.file.empty()) return PinFile::open(options.file);
  const auto path = mcp_pins_path();
  if (!path) return failed(path);
  return PinFile::open(*path);
}

std::string user_name() {
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr ? user->pw_name : fmt::format("uid {}", ::getuid());
}

// One word to a shell, whatever a server called its tool.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : log::printable(text)) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string digits(const PinEntry& entry) { return entry.pin.substr(0, kShownPinDigits); }

// Servers chose most of these words.
void print_waiting(const PinFile& pins, const PinEntry& waiting) {
  const std::string tool = log::printable(waiting.tool);
  fmt::print("waits     {} {}  {}  {}\n", waiting.server, tool, digits(waiting), log::printable(waiting.reason, 1000));
  const PinEntry* held = pins.held(waiting.origin, waiting.tool);
  if (held == nullptr) fmt::print("  a tool that was not seen before\n");
  fmt::print("{}", mcp::definition_diff(held == nullptr ? json::Value() : held->definition, waiting.definition));
  fmt::print("  to let it be shown and called: gatehouse mcp approve {} {} {}\n", waiting.server,
             shell_word(waiting.tool), digits(waiting));
}

int list(const McpCommandOptions& options) {
  const auto pins = open_pins(options);
  if (!pins) return refuse(pins.error());
  const auto wanted = [&](const PinEntry* entry) { return options.server.empty() || entry->server == options.server; };
  for (const PinEntry* held : pins->all_held()) {
    if (options.waiting_only || !wanted(held)) continue;
    const bool by_person = held->what == PinEntry::What::approved;
    fmt::print("{}  {} {}  {}{}\n", by_person ? "approved" : "pinned  ", held->server, log::printable(held->tool),
               digits(*held), by_person ? fmt::format("  by {}", log::printable(held->by)) : "");
  }
  for (const PinEntry* waiting : pins->all_waiting()) {
    if (wanted(waiting)) print_waiting(*pins, *waiting);
  }
  return kExitOk;
}

// The digits name what was looked at: a definition that changed since is not approved by accident.
int approve(const McpCommandOptions& options) {
  if (options.pin.size() < kLeastPinDigits) {
    return refuse(Error(fmt::format("name the definition by at least {} digits of its pin", kLeastPinDigits)));
  }
  auto pins = open_pins(options);
  if (!pins) return refuse(pins.error());
  std::vector<PinEntry> found;
  std::set<std::string> different;
  for (const PinEntry* waiting : pins->all_waiting()) {
    const bool named = waiting->server == options.server && waiting->tool == options.tool;
    if (!named || !waiting->pin.starts_with(options.pin)) continue;
    found.push_back(*waiting);
    different.insert(waiting->pin);
  }
  if (found.empty()) {
    return refuse(Error(fmt::format("no such definition of '{}' waits; gatehouse mcp pins shows those that do",
                                    log::printable(options.tool, 128))));
  }
  if (different.size() > 1) return refuse(Error("several definitions begin with these digits; write more of them"));
  for (auto& entry : found) {
    entry.what = PinEntry::What::approved;
    entry.reason.clear();
    entry.by = user_name();
    entry.time_us = now_utc_us();
  }
  if (auto ok = pins->append(found); !ok) return refuse(ok.error());
  fmt::print("approved {} {}  {}\n", options.server, log::printable(options.tool), digits(found.front()));
  return kExitOk;
}

Result<McpClient> connect(const McpCommandOptions& options) {
  if (!options.socket.empty()) return McpClient::open(options.socket);
  const auto session = running_session(options.session);
  if (!session) return failed(session);
  const auto directory = session_runtime_directory(*session);
  if (!directory) return failed(directory);
  auto client = McpClient::open(fmt::format("{}/{}", *directory, kMcpSocket));
  if (!client) return fail("session '{}' does not run, or its policy declares no servers of tools", *session);
  return client;
}

Result<std::string> log_of(const McpCommandOptions& options) {
  if (!options.log.empty()) return options.log;
  const auto session = running_session(options.session);
  if (!session) return failed(session);
  return audit_log_path(*session);
}

// What the log says last of each tool, and of all that the policy closes, as lines.
Result<std::map<std::string, std::string>> not_shown(const std::string& log, const std::set<std::string>& shown) {
  auto reader = audit::AuditReader::open(log);
  if (!reader) return failed(reader);
  std::map<std::string, std::string> lines;
  for (;;) {
    const auto entries = (*reader)->next_entries({});
    if (!entries) return failed(entries);
    if (entries->empty()) break;
    for (const auto& entry : *entries) {
      if (entry.table != "mcp_calls") continue;
      const auto row = json::Value::parse(entry.json, nullptr, false);
      if (!row.is_object() || row.value("method", "") != "tools/list") continue;
      const std::string server = row.value("server", ""), tool = row.value("tool", "");
      lines[server + " " + tool] = shown.contains(mcp::shown_name(server, tool))
                                       ? ""
                                       : fmt::format("{} {}  {}: {}", server, log::printable(tool), entry.rule_id,
                                                     log::printable(entry.reason, 8 << 10));
    }
  }
  std::erase_if(lines, [](const auto& line) { return line.second.empty(); });
  return lines;
}

int list_tools(const McpCommandOptions& options) {
  auto client = connect(options);
  if (!client) return refuse(client.error());
  std::set<std::string> shown;
  for (json::Value params = json::Value::object();;) {
    const auto answer = client->ask("tools/list", params);
    if (!answer) return refuse(answer.error());
    if (!answer->contains("result")) return refuse(Error("the gateway does not list its tools"));
    const auto& result = (*answer)["result"];
    for (const auto& tool : result.value("tools", json::Value::array())) {
      const std::string description = tool.value("description", "");
      const std::string name = tool.value("name", "");
      shown.insert(name);
      fmt::print("{}  {}\n", name, log::printable(description.substr(0, description.find('\n')), kShownDescription));
    }
    if (!result.contains("nextCursor")) break;
    params["cursor"] = result["nextCursor"];
  }
  if (shown.empty()) fmt::print("the guest is shown no tool\n");
  const auto log = log_of(options);
  if (!log) return refuse(log.error());
  const auto withheld = not_shown(*log, shown);
  if (!withheld) return refuse(withheld.error());
  if (!withheld->empty()) fmt::print("\nnot shown:\n");
  for (const auto& [key, line] : *withheld) fmt::print("{}\n", line);
  return kExitOk;
}

// Exit code 3: the answer is no.
int call_tool(const McpCommandOptions& options) {
  auto arguments = json::read(options.arguments);
  if (!arguments || !arguments->is_object()) {
    refuse(Error("the arguments must be a JSON object"));
    return kExitUsage;
  }
  auto client = connect(options);
  if (!client) return refuse(client.error());
  // A list waits for servers that come up; a call does not.
  if (const auto listed = client->ask("tools/list", json::Value::object()); !listed) return refuse(listed.error());
  const auto answer = client->ask("tools/call", {{"name", options.tool}, {"arguments", std::move(*arguments)}});
  if (!answer) return refuse(answer.error());
  const bool fine = answer->contains("result");
  const auto& said = (*answer)[fine ? "result" : "error"];
  fmt::print("{}\n", said.dump(2, ' ', true, json::Value::error_handler_t::replace));
  return fine && !said.value("isError", false) ? kExitOk : kExitNo;
}

int login(const McpCommandOptions& options) {
  LoginOptions wanted{options.server, options.socket, options.browser, options.port};
  if (wanted.socket.empty()) {
    const auto session = running_session(options.session);
    if (!session) return refuse(session.error());
    const auto directory = session_runtime_directory(*session);
    if (!directory) return refuse(directory.error());
    wanted.socket = fmt::format("{}/{}", *directory, kMcpLoginSocket);
  }
  const auto ok = log_in(wanted);
  return ok ? kExitOk : refuse(ok.error());
}

}  // namespace

void add_mcp_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand(
      "mcp", "list and call the tools of a session; show what is pinned of them, and approve what has changed");
  command->require_subcommand(1);
  const auto options = std::make_shared<McpCommandOptions>();
  const auto add_session = [&](CLI::App* to) {
    to->add_option("--session", options->session, "name of the session (default: the latest)")->type_name("NAME");
    to->add_option("--socket", options->socket, "of a gateway that runs by itself")->type_name("PATH");
  };
  auto* ls = command->add_subcommand("ls", "list the tools that the guest is shown, and why it is not shown others");
  add_session(ls);
  ls->add_option("--audit", options->log, "log of a gateway that runs by itself")->type_name("FILE");
  ls->callback([options, &run] { run = [options] { return list_tools(*options); }; });
  auto* call = command->add_subcommand("call", "call a tool as the guest would: judged, scanned and on record");
  call->add_option("TOOL", options->tool, "as `mcp ls` shows it: server__tool")->required();
  call->add_option("ARGUMENTS", options->arguments, "a JSON object")->capture_default_str();
  add_session(call);
  call->callback([options, &run] { run = [options] { return call_tool(*options); }; });
  auto* log_in = command->add_subcommand("login", "log in to a server of tools, by a browser on this machine");
  log_in->add_option("SERVER", options->server, "the server's name")->required();
  log_in->add_option("--session", options->session, "name of the session (default: the latest)")->type_name("NAME");
  log_in->add_option("--socket", options->socket, "where a gateway that runs by itself hears logins (its --login)")
      ->type_name("PATH");
  log_in->add_option("--browser", options->browser, "program that is given the URL (default: $BROWSER, or xdg-open)")
      ->type_name("PROGRAM");
  log_in
      ->add_option("--port", options->port, "of http://127.0.0.1:PORT/callback, where a client is registered with one")
      ->type_name("PORT");
  log_in->callback([options, &run] { run = [options] { return login(*options); }; });
  const auto add_file = [&](CLI::App* to) {
    to->add_option("--pins", options->file, "the file of a gateway that runs by itself (default: that of all sessions)")
        ->type_name("FILE");
  };
  auto* pins = command->add_subcommand("pins", "list what is pinned, and what waits, with what changed");
  pins->add_option("--server", options->server, "of this server only")->type_name("NAME");
  pins->add_flag("--waiting", options->waiting_only, "only what waits");
  add_file(pins);
  pins->callback([options, &run] { run = [options] { return list(*options); }; });
  auto* approval = command->add_subcommand("approve", "let a definition that waits be shown and called");
  approval->add_option("SERVER", options->server, "the server's name")->required();
  approval->add_option("TOOL", options->tool, "the tool, as the server names it")->required();
  approval->add_option("PIN", options->pin, "the digits that `mcp pins` shows, or the first 8 and more")->required();
  add_file(approval);
  approval->callback([options, &run] { run = [options] { return approve(*options); }; });
}

}  // namespace gatehouse::launcher
