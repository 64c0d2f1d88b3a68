// gatehouse mcp pins [--server NAME] [--waiting]; gatehouse mcp approve SERVER TOOL PIN
#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <set>

#include "common/base/log.h"
#include "common/base/options.h"
#include "common/base/uuid.h"
#include "common/mcp/definition_diff.h"
#include "common/mcp/pin_file.h"
#include "launcher/command.h"
#include "launcher/paths.h"

namespace gatehouse::launcher {

namespace {

using mcp::PinEntry;
using mcp::PinFile;

struct McpCommandOptions {
  std::string file;
  std::string server;
  std::string tool;
  std::string pin;
  bool waiting_only = false;
};

constexpr size_t kShownPinDigits = 12;
constexpr size_t kLeastPinDigits = 8;

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

}  // namespace

void add_mcp_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("mcp", "show what was approved of servers' tools, and approve what has changed");
  command->require_subcommand(1);
  const auto options = std::make_shared<McpCommandOptions>();
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
