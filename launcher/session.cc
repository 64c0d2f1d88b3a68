#include "launcher/session.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "common/audit/log.h"
#include "common/audit/reader.h"
#include "common/base/log.h"
#include "common/base/options.h"
#include "common/base/uuid.h"
#include "common/git/gate_protocol.h"
#include "common/mcp/call_hash.h"
#include "common/net/signal_watch.h"
#include "common/tls/ca.h"
#include "launcher/approval_server.h"
#include "launcher/captured_log.h"
#include "launcher/git_configuration.h"
#include "launcher/guest_command.h"
#include "launcher/house.h"
#include "launcher/images.h"
#include "launcher/paths.h"
#include "launcher/policy_keeper.h"
#include "launcher/progress.h"
#include "launcher/session_directory.h"
#include "launcher/snapshot.h"
#include "launcher/terminal.h"

namespace gatehouse::launcher {

namespace {

constexpr std::chrono::seconds kBootLimitKvm{60};
constexpr std::chrono::seconds kBootLimitTcg{180};
// A lost connection is the first sign of a dead bridge or machine: so long the cause may take to show.
constexpr std::chrono::milliseconds kCauseWait{500};
constexpr size_t kMaxShownRequestBytes = 200;

// An earlier session of the same name keeps its log under the time of its end.
Result<void> put_aside_old_log(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  std::tm utc{};
  ::gmtime_r(&status.st_mtim.tv_sec, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
  const std::string stem = path.substr(0, path.rfind('.'));
  std::string aside = fmt::format("{}-{}.db", stem, stamp);
  for (int n = 2; ::access(aside.c_str(), F_OK) == 0; ++n) aside = fmt::format("{}-{}-{}.db", stem, stamp, n);
  // Rows not yet moved from the write-ahead log belong to the file of the same name, so that one goes first.
  // What was counted in that session counts for no other.
  for (const char* suffix : {"-budgets", "-mcp-budgets"}) {
    if (std::remove((path + suffix).c_str()) != 0 && errno != ENOENT)
      return fail_errno("cannot remove {}{}", path, suffix);
  }
  for (const char* suffix : {"-wal", "-shm", ""}) {
    if (std::rename((path + suffix).c_str(), (aside + suffix).c_str()) != 0 && errno != ENOENT) {
      return fail_errno("cannot put the earlier log {} aside", path + suffix);
    }
  }
  return {};
}

Result<Fd> private_socket(const std::string& path) {
  Endpoint endpoint;
  endpoint.path = path;
  auto socket = open_socket(endpoint);
  if (socket && ::chmod(path.c_str(), 0600) != 0) return fail_errno("cannot make {} private", path);
  return socket;
}

class Session {
 public:
  Session(const SessionSettings& settings, const policy::Policy& policy, const std::vector<Secret>& secrets)
      : settings_(settings), policy_(policy), secrets_(secrets) {}

  // The steps, in order; the first that fails ends it.
  Result<int> run() {
    if (auto ok = get_boot_files(); !ok) return failed(ok);
    if (auto ok = take_directories(); !ok) return failed(ok);
    if (auto ok = watch_signals(); !ok) return failed(ok);
    if (auto ok = open_audit(); !ok) return failed(ok);
    if (auto ok = lay_canaries(); !ok) return failed(ok);
    if (auto ok = start_house(); !ok) return failed(ok);
    if (auto ok = start_approvals(); !ok) return failed(ok);
    if (auto ok = start_command(); !ok) return failed(ok);
    if (!outcome_) loop_.run();
    return tear_down();
  }

 private:
  Result<void> get_boot_files();
  Result<void> take_directories();
  Result<void> watch_signals();
  Result<void> open_audit();
  Result<void> lay_canaries();
  Result<void> start_house();
  Result<void> start_approvals();
  Result<void> start_command();
  Result<int> tear_down();

  void approval_wanted(const approval::Pending& pending) const;
  void reload_policy(const std::string& by, std::function<void(const approval::Reply&)> told);
  void house_event(audit::ProcessEvent event);
  void house_failed(const Error& error);
  void reached(std::string_view stage);
  void command_ended(Result<AgentExited> outcome);
  void end(Result<AgentExited> outcome);
  void print_summary() const;

  const SessionSettings& settings_;
  const policy::Policy& policy_;
  const std::vector<Secret>& secrets_;
  Loop loop_;
  Progress progress_;
  BootFiles boot_files_;
  std::string state_directory_;
  std::string audit_path_;
  std::optional<SessionDirectory> directory_;
  std::unique_ptr<SignalWatch> signals_;
  std::unique_ptr<audit::AuditLog> audit_;
  std::vector<ipc::BootFile> decoys_;
  House::Handed handed_;
  std::unique_ptr<CapturedLog> messages_;
  std::unique_ptr<CapturedLog> console_;
  std::unique_ptr<PolicyKeeper> keeper_;
  std::unique_ptr<House> house_;
  std::unique_ptr<ApprovalServer> approvals_;
  std::unique_ptr<GuestCommand> command_;
  std::string exec_trace_;
  bool command_ran_ = false;
  std::unique_ptr<Timer> cause_wait_;
  std::optional<Result<AgentExited>> outcome_;
};

Result<void> Session::get_boot_files() {
  progress_.stage("images", "looking for kernel and image");
  auto files = prepare_boot_files(settings_.image);
  if (!files) return failed(files);
  boot_files_ = std::move(*files);
  return {};
}

Result<void> Session::take_directories() {
  progress_.stage("prepare", "preparing the session");
  auto directory = SessionDirectory::acquire(settings_.name);
  if (!directory) return failed(directory);
  directory_.emplace(std::move(*directory));
  auto state = session_state_directory(settings_.name);
  if (!state) return failed(state);
  state_directory_ = std::move(*state);
  return {};
}

Result<void> Session::watch_signals() {
  auto watch =
      SignalWatch::start(loop_, {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH}, [this](int number) {
        if (command_ && !outcome_) command_->signal(number);
      });
  if (!watch) return failed(watch);
  signals_ = std::move(*watch);
  return {};
}

Result<void> Session::open_audit() {
  auto path = audit_log_path(settings_.name);
  if (!path) return failed(path);
  audit_path_ = std::move(*path);
  if (auto ok = put_aside_old_log(audit_path_); !ok) return failed(ok);
  auto log = audit::AuditLog::open(
      {audit_path_, settings_.name, "launcher", audit::kMaxLogBytes + audit::kLauncherReserveBytes});
  if (!log) return failed(log);
  audit_ = std::move(*log);
  audit_->append(audit::ProcessEvent{"session", ::getpid(), "start", ""});
  return audit_->append_and_wait(audit::PolicyEvent{"loaded", policy_.files(), policy_.sha256(), ""});
}

Result<void> Session::lay_canaries() {
  auto canaries = make_canaries();
  if (!canaries) return failed(canaries);
  decoys_ = std::move(canaries->files);
  auto known = scanner_secrets(secrets_, canaries->values, policy_.client_identities());
  if (!known) return failed(known);
  handed_.scanner_secrets = std::move(*known);
  auto credentials = proxy_credentials(secrets_, policy_.kept_secrets());
  if (!credentials) return failed(credentials);
  handed_.proxy_credentials = std::move(*credentials);
  auto given = server_secrets(secrets_, policy_.mcp_servers());
  if (!given) return failed(given);
  handed_.server_secrets = std::move(*given);
  auto own = client_secrets(secrets_, policy_.mcp_servers());
  if (!own) return failed(own);
  handed_.client_secrets = std::move(*own);
  auto call_key = random_secret(mcp::kCallHashKeyBytes);
  if (!call_key) return failed(call_key, "key for calls of tools");
  handed_.call_key = std::move(*call_key);
  return {};
}

Result<void> Session::start_house() {
  progress_.stage("house", "starting the gates");
  auto ca = tls::create_session_ca(settings_.name);
  if (!ca) return failed(ca);
  handed_.ca = std::move(*ca);
  auto messages = CapturedLog::start(loop_, state_directory_ + "/house.log");
  if (!messages) return failed(messages);
  messages_ = std::move(*messages);
  auto console = CapturedLog::start(loop_, state_directory_ + "/console.log");
  if (!console) return failed(console);
  console_ = std::move(*console);
  keeper_ = std::make_unique<PolicyKeeper>(
      loop_, policy_, PolicyKeeper::Settings{settings_.policies, state_directory_},
      PolicyKeeper::Callbacks{[this](audit::PolicyEvent row) { return audit_->append_and_wait(std::move(row)); },
                              [this](const std::string& gate) { house_->restart(gate); }});
  if (auto ok = keeper_->begin(); !ok) return failed(ok);

  auto cache = cache_directory();
  if (!cache) return failed(cache);
  HouseSettings house;
  house.cache = *cache + "/dlp";
  house.session = settings_.name;
  house.directory = directory_->path();
  house.audit = audit_path_;
  // Also for a policy that lets nothing be pushed, since the next one may. A host without git can do without the gate
  // until then.
  if (policy_.lets_push() || ::access(git::kGitProgram, X_OK) == 0) house.quarantine = state_directory_ + "/quarantine";
  if (!policy_.mcp_servers().empty()) {
    auto pins = mcp_pins_path();
    if (!pins) return failed(pins);
    house.mcp_pins = std::move(*pins);
    house.mcp_tokens = house.mcp_pins + "-tokens";
    house.mcp_work = state_directory_ + "/mcp";
  }
  if (!settings_.upstream_ca.empty()) {
    auto certificates = snapshot_certificates(settings_.upstream_ca, directory_->path());
    if (!certificates) return failed(certificates);
    house.upstream_ca = std::move(*certificates);
  }
  house.vm.accelerator = settings_.accelerator;
  house.vm.cpus = settings_.cpus;
  house.vm.memory_mib = settings_.memory_mib;
  house.vm.kernel = boot_files_.kernel;
  house.vm.initrd = boot_files_.initrd;
  house.vm.root_image = boot_files_.root_image;
  house_ = std::make_unique<House>(
      loop_, std::move(house), handed_, *keeper_, *messages_, *console_,
      Supervisor::Callbacks{[this](audit::ProcessEvent event) { house_event(std::move(event)); },
                            [this](const Error& error) { house_failed(error); }});
  return house_->start();
}

// Before the guest runs, so that whoever asks finds somebody.
Result<void> Session::start_approvals() {
  auto gates = private_socket(house_->ask_socket());
  if (!gates) return failed(gates);
  auto people = private_socket(directory_->file(kApprovalsSocket));
  if (!people) return failed(people);
  auto server = ApprovalServer::start(loop_, *audit_, std::move(*gates), std::move(*people),
                                      {[this](const approval::Pending& pending) { approval_wanted(pending); },
                                       [this](pid_t pid) { return house_->runs(pid); },
                                       [this](const std::string& by, auto told) { reload_policy(by, told); }});
  if (!server) return failed(server);
  approvals_ = std::move(*server);
  return {};
}

// On a terminal that the guest draws on there is no place for it.
void Session::approval_wanted(const approval::Pending& pending) const {
  if (is_interactive(STDIN_FILENO, STDOUT_FILENO)) return;
  fmt::print(stderr, "gatehouse: approval {} is wanted for {} (rule '{}'): gatehouse approvals allow {} --session {}\n",
             pending.number, log::printable(pending.wanted.what, kMaxShownRequestBytes),
             log::printable(pending.wanted.rule), pending.number, settings_.name);
}

void Session::reload_policy(const std::string& by, std::function<void(const approval::Reply&)> told) {
  keeper_->reload(by, [told = std::move(told)](const Result<std::string>& outcome) {
    told({outcome.has_value(), outcome ? *outcome : outcome.error().message()});
  });
}

Result<void> Session::start_command() {
  progress_.stage("boot", "booting the guest");
  GuestCommand::Settings command;
  command.host_socket = house_->host_socket();
  command.boot.hostname = settings_.name;
  command.boot.ca_certificate = handed_.ca.certificate;
  command.boot.files = std::move(decoys_);
  if (auto git = git_configuration(policy_.git_hosts())) command.boot.files.push_back(std::move(*git));
  command.exec.argv = settings_.command;
  command.exec.env = settings_.environment;
  for (auto& variable : placeholder_environment(secrets_)) command.exec.env.push_back(std::move(variable));
  if (is_interactive(STDIN_FILENO, STDOUT_FILENO)) command.exec.terminal = terminal_size(STDIN_FILENO);
  command.boot_limit = settings_.accelerator == Accelerator::kvm ? kBootLimitKvm : kBootLimitTcg;
  command.time_limit = settings_.time_limit;
  command_ = std::make_unique<GuestCommand>(
      loop_, std::move(command),
      GuestCommand::Callbacks{[this](std::string_view stage) { reached(stage); },
                              [this](Result<AgentExited> outcome) { command_ended(std::move(outcome)); }});
  // On record before it can happen: the agent is given the command as soon as it is there.
  exec_trace_ = make_uuid();
  if (auto ok = audit_->append_and_wait(audit::ExecEvent{exec_trace_, settings_.command, "start", std::nullopt}); !ok) {
    return failed(ok);
  }
  return command_->start();
}

void Session::house_event(audit::ProcessEvent event) {
  log::debug("{} {} (pid {}) {}", event.process, event.phase, event.pid, event.detail);
  audit_->append(std::move(event));
}

// The house cannot go on; what it said last and what the guest printed last tell why.
void Session::house_failed(const Error& error) {
  messages_->drain();
  console_->drain();
  std::string text = error.message();
  if (const std::string tail = messages_->tail(); !tail.empty()) text += "\nlast messages of the house:\n" + tail;
  if (const std::string tail = console_->tail(); !tail.empty()) text += "\nlast lines of the guest's console:\n" + tail;
  while (text.ends_with('\n')) text.pop_back();
  end(tl::unexpected(Error(text)));
}

void Session::reached(std::string_view stage) {
  if (stage == "connected") {
    progress_.stage("hello", "starting the command");
  } else {
    progress_.finish();
    command_ran_ = true;
  }
}

void Session::command_ended(Result<AgentExited> outcome) {
  if (outcome) return end(std::move(outcome));
  cause_wait_ = std::make_unique<Timer>(loop_, [this, error = outcome.error()] { house_failed(error); });
  cause_wait_->start(kCauseWait);
}

void Session::end(Result<AgentExited> outcome) {
  if (outcome_) return;
  outcome_ = std::move(outcome);
  loop_.stop();
}

Result<int> Session::tear_down() {
  progress_.finish();
  const Result<AgentExited> outcome = std::move(*outcome_);
  const bool exited = outcome && outcome->message.empty();
  audit::ExecEvent event{exec_trace_, settings_.command, exited ? "exit" : "failed", std::nullopt};
  if (outcome) event.exit_code = outcome->code;
  audit_->append(std::move(event));
  command_.reset();
  approvals_.reset();
  if (command_ran_ && ::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}", kAfterGuest);
  progress_.stage("stop");
  house_->stop();
  messages_->drain();
  console_->drain();
  progress_.finish();
  audit_->append(audit::ProcessEvent{"session", ::getpid(), "exit", ""});
  audit_.reset();  // commits all rows
  if (outcome && !outcome->message.empty()) {
    fmt::print(stderr, "gatehouse: {}\n", log::printable(outcome->message));
  }
  if (!outcome) fmt::print(stderr, "gatehouse: {}\n", outcome.error().message());
  print_summary();
  return outcome ? outcome->code : kExitGatehouse;
}

void Session::print_summary() const {
  const auto reader = audit::AuditReader::open(audit_path_);
  const auto counts = reader ? (*reader)->counts() : failed(reader);
  if (!counts) {
    fmt::print(stderr, "gatehouse: cannot read the audit log: {}\n", counts.error().message());
    return;
  }
  fmt::print(stderr, "gatehouse: {} allowed, {} denied; log: {}\n", counts->allowed, counts->denied, audit_path_);
}

}  // namespace

int run_session(const SessionSettings& settings, const policy::Policy& policy, const std::vector<Secret>& secrets) {
  Session session(settings, policy, secrets);
  const auto code = session.run();
  if (code) return *code;
  fmt::print(stderr, "gatehouse: {}\n", code.error().message());
  return kExitGatehouse;
}

}  // namespace gatehouse::launcher
