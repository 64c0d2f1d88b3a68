#include "git-gate/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "common/dlp/scanner_option.h"
#include "git-gate/git_child.h"

namespace gatehouse::git_gate {

namespace {

// The program that starts git: where it is depends on the machine's kind.
std::string loader() {
  for (const char* path : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}) {
    if (::access(path, F_OK) == 0) return path;
  }
  return kGitProgram;
}

}  // namespace

GitGateOptions parse_options(int argc, char** argv) {
  GitGateOptions own;
  auto parsed = parse_gate_options(
      "gatehouse-git-gate", "Looks through whole pushes for the proxy, and judges them by the policy", argc, argv,
      [&](CLI::App& app) {
        dlp::add_scanner_option(app, own.dlp);
        app.add_option("--quarantine", own.quarantine, "folder to look into packs in; made if it is missing")
            ->type_name("DIR");
      });
  own.gate = std::move(parsed.gate);
  own.exit_code = parsed.exit_code;
  return own;
}

Result<void> require(const GitGateOptions& options) {
  if (!options.gate.has_policy()) return fail("--policy FILE is required: it says what may be pushed");
  if (options.gate.session.empty()) return fail("--session NAME is required: it names the session in messages");
  if (options.dlp.empty()) return fail("--dlp unix:PATH is required: nothing that is not scanned may be pushed");
  if (options.quarantine.empty()) return fail("--quarantine DIR is required: packs are looked into there");
  if (!options.gate.audit.empty()) {
    return fail("--audit {}: the git gate writes no log, the proxy logs what it is told", options.gate.audit);
  }
  if (::access(kGitProgram, X_OK) != 0) return fail("{} cannot be run: install git", kGitProgram);
  return {};
}

Confinement confinement(const GitGateOptions& options) {
  Confinement needs{.outbound = Outbound::unix_sockets, .read_paths = program_library_paths()};
  needs.read_paths.push_back("/dev/urandom");  // for git's names of temporary files
  needs.write_paths = {"/dev/null"};
  needs.work_paths = {std::filesystem::absolute(options.quarantine).string()};
  needs.programs = {kGitProgram, loader()};
  return needs;
}

}  // namespace gatehouse::git_gate
