#include "common/base/options.h"

#include <CLI/CLI.hpp>

#include "common/base/log.h"

namespace gatehouse {

ParsedOptions parse_gate_options(const std::string& program, const std::string& description, int argc, char** argv,
                                 const std::function<void(CLI::App&)>& add_own) {
  ParsedOptions parsed;
  CLI::App app(description, program);
  app.set_version_flag("--version", program + " " GATEHOUSE_VERSION);
  app.add_option("--policy", parsed.gate.policies, "policy file; repeatable, each is a layer of its own")
      ->type_name("FILE");
  app.add_option("--policy-snapshot", parsed.gate.policy_snapshot, "in place of --policy, in a session")
      ->type_name("FILE");
  app.add_option("--control", parsed.gate.control, "whence another policy comes, in a session")->type_name("fd:N");
  app.add_option("--audit", parsed.gate.audit, "audit log of the session (SQLite)")->type_name("FILE");
  app.add_option("--session", parsed.gate.session, "name of the session in the audit log")->type_name("NAME");
  app.add_option("--listen", parsed.gate.listen, "besides LISTEN_FDS; repeatable")
      ->type_name("tcp:ADDR:PORT|udp:ADDR:PORT|unix:PATH");
  app.add_flag("--check-config", parsed.gate.check_config, "read policy and options, report, listen to nothing");
  if (add_own) add_own(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return parsed;
}

int report(const Error& error, int code) {
  log::error("{}", error.message());
  return code;
}

}  // namespace gatehouse
