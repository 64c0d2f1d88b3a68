#include "common/reload/policy_source.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>

#include "common/base/confine.h"
#include "common/base/log.h"
#include "common/ipc/frame.h"
#include "common/reload/protocol.h"

namespace gatehouse::reload {

namespace {

constexpr int kReaderControl = 3;  // in the reader, which has nothing else open

Result<Fd> inherited(std::string_view text) {
  constexpr std::string_view kPrefix = "fd:";
  int number = -1;
  if (text.starts_with(kPrefix)) {
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data() + kPrefix.size(), end, number).ptr != end) number = -1;
  }
  if (number < kReaderControl || ::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) return fail("--control {}: no fd:N", text);
  return Fd(number);
}

std::string answer(const std::vector<std::string>& files) {
  const auto policy = policy::Policy::load(files);
  return policy ? encode_proposal(policy->snapshot()) : encode(FrameType::refused, policy.error().message());
}

// Answers until the gate is gone. It needs to read whatever a policy may name, and nothing else.
[[noreturn]] void serve(const std::vector<std::string>& files) {
  if (!confine({.outbound = Outbound::none, .read_paths = {"/"}})) ::_exit(kExitFailed);
  ipc::FrameReader frames;
  for (;;) {
    char bytes[256];
    const ssize_t got = ::read(kReaderControl, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) ::_exit(kExitOk);
    frames.feed({bytes, static_cast<size_t>(got)});
    for (auto frame = frames.next(); frame && *frame; frame = frames.next()) {
      if (!write_all(kReaderControl, answer(files))) ::_exit(kExitFailed);
    }
  }
}

[[noreturn]] void become_reader(int control, pid_t gate, const std::vector<std::string>& files) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != gate || ::dup2(control, kReaderControl) < 0) ::_exit(kExitFailed);
  ::close_range(kReaderControl + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, "policy-reader");
  ::signal(SIGHUP, SIG_IGN);
  serve(files);
}

Result<Fd> start_reader(const std::vector<std::string>& files) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("cannot make a socket");
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  const pid_t gate = ::getpid();
  const pid_t reader = ::fork();
  if (reader < 0) return fail_errno("cannot start the reader of policies");
  if (reader == 0) become_reader(theirs.get(), gate, files);
  return ours;
}

}  // namespace

Result<PolicySource> open_policy(const GateOptions& options) {
  const bool told = !options.policy_snapshot.empty();
  if (told && !options.policies.empty()) return fail("--policy-snapshot holds all layers: give no --policy besides");
  auto policy = told ? policy::Policy::load_snapshot(options.policy_snapshot) : policy::Policy::load(options.policies);
  if (!policy) return failed(policy);
  PolicySource source{std::move(*policy), Fd(), !told};
  if (options.check_config || (told && options.control.empty())) return source;
  auto control = told ? inherited(options.control) : start_reader(options.policies);
  if (!control) return failed(control);
  source.control = std::move(*control);
  return source;
}

}  // namespace gatehouse::reload
