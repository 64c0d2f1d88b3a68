// gatehouse approvals [list] [--json]; gatehouse approvals allow|deny ID [--for once|session]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/approval/protocol.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "launcher/command.h"
#include "launcher/control_client.h"
#include "launcher/paths.h"

namespace gatehouse::launcher {

namespace {

using approval::FrameType;

struct ApprovalOptions {
  std::string session;
  uint64_t number = 0;
  std::string scope = "once";
  bool json = false;
};

int refuse(const Error& error) {
  fmt::print(stderr, "gatehouse: {}\n", error.message());
  return kExitFailed;
}

Result<std::vector<approval::Pending>> fetch(const std::string& session) {
  const auto frame = ask_session(session, kApprovalsSocket, approval::encode_list());
  if (!frame) return failed(frame);
  if (frame->type != static_cast<uint8_t>(FrameType::pending)) return fail("the session answers something else");
  return approval::parse_pending(frame->payload);
}

void print_json(const approval::Pending& one) {
  nlohmann::ordered_json line;
  line["id"] = one.number;
  line["waited_ms"] = one.waited.count();
  line["left_ms"] = one.left.count();
  line["channel"] = one.wanted.channel;
  line["what"] = one.wanted.what;
  line["detail"] = one.wanted.detail;
  line["rule"] = one.wanted.rule;
  line["reason"] = one.wanted.reason;
  line["trace_id"] = one.wanted.trace_id;
  fmt::print("{}\n", line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
}

int list(const ApprovalOptions& options) {
  const auto session = running_session(options.session);
  if (!session) return refuse(session.error());
  const auto pending = fetch(*session);
  if (!pending) return refuse(pending.error());
  if (pending->empty() && !options.json) fmt::print("nothing waits for approval in session '{}'\n", *session);
  for (const auto& one : *pending) {
    if (options.json) {
      print_json(one);
      continue;
    }
    // The guest chose most of these words.
    fmt::print(
        "{:3}  {}  ({})\n     rule '{}': {}\n     denied in {} s unless: gatehouse approvals allow {} --session {}\n",
        one.number, log::printable(one.wanted.what), log::printable(one.wanted.detail), log::printable(one.wanted.rule),
        log::printable(one.wanted.reason), one.left.count() / 1000, one.number, *session);
  }
  return kExitOk;
}

int decide(const ApprovalOptions& options, bool allow) {
  const auto session = running_session(options.session);
  if (!session) return refuse(session.error());
  const auto scope = options.scope == "session" ? approval::Scope::session : approval::Scope::once;
  const auto frame =
      ask_session(*session, kApprovalsSocket, approval::encode(approval::Decide{options.number, allow, scope}));
  if (!frame) return refuse(frame.error());
  if (frame->type != static_cast<uint8_t>(FrameType::reply)) return refuse(Error("the session answers something else"));
  const auto reply = approval::parse_reply(frame->payload);
  if (!reply) return refuse(reply.error());
  if (!reply->done) return refuse(Error(reply->message));
  fmt::print("{}\n", log::printable(reply->message));
  return kExitOk;
}

}  // namespace

void add_approvals_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("approvals", "show what waits for a person's approval, and allow or deny it");
  command->require_subcommand(0, 1);
  const auto options = std::make_shared<ApprovalOptions>();
  const auto add_session = [&options](CLI::App* to) {
    to->add_option("--session", options->session, "name of the session (default: the latest)")->type_name("NAME");
  };
  const auto add_list_options = [&](CLI::App* to) {
    add_session(to);
    to->add_flag("--json", options->json, "one object a line");
  };
  add_list_options(command);
  command->callback([options, &run] {
    if (!run) run = [options] { return list(*options); };
  });
  auto* list_command = command->add_subcommand("list", "show what waits (the default)");
  add_list_options(list_command);
  list_command->callback([options, &run] { run = [options] { return list(*options); }; });
  for (const bool allow : {true, false}) {
    auto* decision =
        allow ? command->add_subcommand("allow", "let it go on") : command->add_subcommand("deny", "refuse it");
    decision->add_option("ID", options->number, "its number in the list")->required();
    add_session(decision);
    decision->add_option("--for", options->scope, "once, or for the session: the same method and URL by the same rule")
        ->type_name("once|session")
        ->check(CLI::IsMember({"once", "session"}))
        ->capture_default_str();
    decision->callback([options, allow, &run] { run = [options, allow] { return decide(*options, allow); }; });
  }
}

}  // namespace gatehouse::launcher
