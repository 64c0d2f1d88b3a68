#include "guest/agent_connection.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "common/base/log.h"
#include "common/base/options.h"

namespace gatehouse::guest {

using ipc::AgentFrame;

namespace {

// A command that has ended may leave its output open in a process of its own. What it wrote itself is in the pipe by
// then and is delivered however long the host takes; others get this long to add theirs.
constexpr std::chrono::milliseconds kDrainGrace{100};
constexpr std::chrono::milliseconds kPeerCheckPeriod{200};
constexpr size_t kReadBytes = 64 * 1024;
constexpr char kEndOfTransmission = 4;  // what ends input on a terminal (termios VEOF)

bool peer_has_left(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Match(Cases...) -> Match<Cases...>;

}  // namespace

AgentConnection::AgentConnection(Loop& loop, ChildReaper& reaper, std::unique_ptr<Stream> stream, Owner owner)
    : loop_(loop),
      reaper_(reaper),
      stream_(std::move(stream)),
      owner_(std::move(owner)),
      drain_(loop,
             [this] {
               if (output_.left > 0 || errors_.left > 0) return drain_.start(kDrainGrace);
               output_.open = errors_.open = false;
               finish_if_drained();
             }),
      peer_check_(loop, [this] {
        if (peer_has_left(stream_->fd())) end();
      }) {
  Stream::Callbacks callbacks;
  callbacks.data = [this](std::string_view bytes) { received(bytes); };
  callbacks.end = [this] { end(); };
  callbacks.error = [this](const Error&) { end(); };
  callbacks.drained = [this] { watch_streams(); };
  stream_->set_callbacks(std::move(callbacks));
  stream_->start_reading();
}

AgentConnection::~AgentConnection() {
  if (command_.pid <= 0 || wait_status_) return;
  reaper_.forget(command_.pid);
  ::kill(-command_.pid, SIGKILL);
}

void AgentConnection::end() { owner_.forget(); }

void AgentConnection::send(AgentFrame type, std::string_view payload) {
  stream_->write(ipc::encode_frame(static_cast<uint8_t>(type), payload));
}

void AgentConnection::received(std::string_view bytes) {
  session_.feed(bytes);
  for (;;) {
    auto request = session_.next();
    if (request && !*request) break;
    const Result<void> taken = request ? take(std::move(**request)) : Result<void>(failed(request));
    if (!taken) {
      log::warn("agent: {}", taken.error().message());
      end();
      return;
    }
  }
  write_input();
}

Result<void> AgentConnection::take(AgentRequest request) {
  if (exit_sent_) return {};  // it crossed the exit on its way
  return std::visit(Match{[this](const HelloRequest&) -> Result<void> {
                            send(AgentFrame::hello, ipc::encode_hello());
                            return {};
                          },
                          [this](const ipc::Boot& boot) -> Result<void> {
                            if (auto ok = owner_.boot(boot); !ok) {
                              send(AgentFrame::failed, ipc::encode(ipc::Exit{kExitGatehouse, ok.error().message()}));
                            } else {
                              send(AgentFrame::ready, "{}");
                            }
                            return {};
                          },
                          [this](const ipc::Exec& exec) -> Result<void> {
                            run(exec);
                            return {};
                          },
                          [this](const StdinData& data) -> Result<void> {
                            if (command_.input) input_ += data.bytes;
                            return {};
                          },
                          [this](const StdinEnd&) -> Result<void> {
                            input_ended_ = true;
                            if (command_.terminal) input_ += kEndOfTransmission;
                            return {};
                          },
                          [this](const SignalRequest& signal) -> Result<void> {
                            if (!wait_status_) ::kill(-command_.pid, signal.number);
                            return {};
                          },
                          [this](const ipc::TerminalSize& size) -> Result<void> {
                            if (!command_.terminal) return fail("resize of a command without a terminal");
                            resize_terminal(command_.output.get(), size);
                            return {};
                          }},
                    request);
}

void AgentConnection::run(const ipc::Exec& exec) {
  auto started = owner_.booted() ? start_command(exec)
                                 : ipc::Exit{kExitGatehouse, "the guest has not been given its boot message yet"};
  if (const auto* failure = std::get_if<ipc::Exit>(&started)) {
    send(AgentFrame::failed, ipc::encode(*failure));
    exit_sent_ = true;
    stream_->shutdown();
    return;
  }
  command_ = std::move(std::get<Command>(started));
  reaper_.watch(command_.pid, [this](int status) { command_ended(status); });
  open_output(output_, AgentFrame::stdout_data, command_.output.get());
  if (command_.errors) open_output(errors_, AgentFrame::stderr_data, command_.errors.get());
  input_watch_ = std::make_unique<FdWatch>(loop_, command_.input.get(), [this](bool, bool) { write_input(); });
  watch_streams();
}

void AgentConnection::open_output(Output& output, AgentFrame type, int fd) {
  output.frame = type;
  output.fd = fd;
  output.open = true;
  output.watch = std::make_unique<FdWatch>(loop_, fd, [this, &output](bool, bool) { read_output(output); });
}

// Reads on while the host keeps up.
void AgentConnection::watch_streams() {
  const bool room = stream_->queued() <= kMaxQueuedBytes;
  for (Output* output : {&output_, &errors_}) {
    if (output->watch) output->watch->want(output->open && room, false);
  }
}

void AgentConnection::read_output(Output& output) {
  static std::array<char, kReadBytes> bytes;
  const ssize_t got = ::read(output.fd, bytes.data(), bytes.size());
  if (got > 0) {
    output.left -= std::min(output.left, static_cast<size_t>(got));
    send(output.frame, {bytes.data(), static_cast<size_t>(got)});
    if (stream_->queued() > kMaxQueuedBytes) watch_streams();
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  output.left = 0;
  output.open = false;  // end of file; on a terminal EIO: nobody has it open any more
  output.watch->want(false, false);
  finish_if_drained();
}

void AgentConnection::write_input() {
  while (command_.input && !input_.empty()) {
    const ssize_t put = ::write(command_.input.get(), input_.data(), input_.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) {  // the command reads no more
      input_watch_.reset();
      command_.input.reset();
      break;
    }
    input_.erase(0, static_cast<size_t>(put));
  }
  if (!command_.input) input_.clear();
  if (input_watch_) input_watch_->want(false, !input_.empty());
  if (input_ended_ && input_.empty() && !command_.terminal) {
    input_watch_.reset();
    command_.input.reset();
  }
  update_reading();
}

void AgentConnection::update_reading() {
  if (input_.size() > kMaxInputBytes) {
    if (!stream_->reading()) return;
    stream_->stop_reading();
    peer_check_.repeat(kPeerCheckPeriod);
  } else if (!stream_->reading() && input_.size() < kMaxInputBytes / 2) {
    peer_check_.stop();
    stream_->start_reading();
  }
}

void AgentConnection::command_ended(int wait_status) {
  wait_status_ = wait_status;
  for (Output* output : {&output_, &errors_}) {
    int waiting = 0;
    if (output->open && ::ioctl(output->fd, FIONREAD, &waiting) == 0) output->left = static_cast<size_t>(waiting);
  }
  drain_.start(kDrainGrace);
  finish_if_drained();
}

void AgentConnection::finish_if_drained() {
  if (!wait_status_ || exit_sent_ || output_.open || errors_.open) return;
  exit_sent_ = true;
  drain_.stop();
  input_watch_.reset();
  output_.watch.reset();
  errors_.watch.reset();
  input_.clear();
  command_.input.reset();
  command_.output.reset();
  command_.errors.reset();
  send(AgentFrame::exit, ipc::encode(ipc::Exit{exit_code(*wait_status_), ""}));
  stream_->shutdown();
  update_reading();
}

}  // namespace gatehouse::guest
