#include "mcp-gateway/processes.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "common/base/log.h"

namespace gatehouse::mcp {

namespace {
constexpr std::chrono::seconds kSoundLife{5};  // one that lived so long is started again at once
}

class Processes::Process {
 public:
  Process(Processes& all, uint32_t index)
      : all_(all),
        index_(index),
        name_(all.servers_[index].name),
        greeting_(all.loop_, [this] { broken(Error("it does not answer to initialize")); }),
        restart_(all.loop_, [this] { all_.ask(SpawnRequest::What::start, index_); }) {}

  void started(pid_t pid, Fd (&streams)[kServerStreams]) {
    pid_ = pid;
    up_ = true;
    started_at_ = std::chrono::steady_clock::now();
    said_ = 0;
    all_.record_({"mcp:" + name_, pid, "start", ""});
    std::unique_ptr<Stream>* const ours[] = {&input_, &output_, &errors_};
    for (size_t i = 0; i < kServerStreams; ++i) {
      auto adopted = Stream::adopt(all_.loop_, std::move(streams[i]));
      if (!adopted) return broken(adopted.error());
      *ours[i] = std::move(*adopted);
    }
    input_->set_callbacks({.data = [](std::string_view) {},
                           .end = [] {},
                           .error = [this](const Error&) { broken(Error("it does not read any more")); },
                           .drained = {}});
    output_->set_callbacks({.data = [this](std::string_view bytes) { upstream().take(bytes); },
                            .end = [this] { broken(Error("it writes no more")); },
                            .error = [this](const Error& error) { broken(error); },
                            .drained = {}});
    errors_->set_callbacks({.data = [this](std::string_view bytes) { say(bytes); },
                            .end = [] {},
                            .error = [](const Error&) {},
                            .drained = {}});
    output_->start_reading();
    errors_->start_reading();
    greeting_.start(kGreetingTime);
    upstream().begin();
  }

  void failed_to_start(int error) {
    log::error("server '{}' cannot be started: {}", name_,
               error == ENOKEY ? "one of its secrets is not here" : std::strerror(error));
    all_.record_({"mcp:" + name_, 0, "crash", fmt::format("cannot be started: {}", std::strerror(error))});
    all_.gateway_->passed_over(name_);
    again();
  }

  void ended(int status) {
    const std::string how = WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                                                : fmt::format("exited with code {}", WEXITSTATUS(status));
    log::warn("server '{}' {}", name_, how);
    all_.record_({"mcp:" + name_, pid_, "exit", how});
    if (std::chrono::steady_clock::now() - started_at_ > kSoundLife) delay_ = kFirstRestart;
    let_go("it " + how);
    again();
  }

  void write(std::string_view line) {
    if (!input_) return;
    input_->write(line);
    if (input_->queued() > kMaxServerQueuedBytes) broken(Error("it does not read what it is sent"));
  }

  // From wherever: what is torn down is so at the turn's end.
  void broken(const Error& why) {
    all_.loop_.post([this, why = why.message(), alive = std::weak_ptr(alive_), pid = pid_] {
      if (alive.expired() || pid != pid_ || !up_) return;
      log::warn("server '{}' is ended: {}", name_, log::printable(why));
      let_go(why);
      all_.ask(SpawnRequest::What::stop, index_);  // that it has ended, we are told
    });
  }

  void greeted() { greeting_.stop(); }
  const std::string& name() const { return name_; }

 private:
  Upstream& upstream() { return *all_.gateway_->upstream(name_); }

  void let_go(const std::string& why) {
    up_ = false;
    greeting_.stop();
    input_.reset();
    output_.reset();
    errors_.reset();
    upstream().end(why);
    all_.gateway_->passed_over(name_);
  }

  void again() {
    restart_.start(delay_);
    delay_ = std::min(delay_ * 2, kLastRestart);
  }

  // Its own log, as far as it fits: it is always read, or the server would stand still.
  void say(std::string_view bytes) {
    if (said_ >= kMaxSaidBytes) return;
    bytes = bytes.substr(0, kMaxSaidBytes - said_);
    said_ += bytes.size();
    while (!bytes.empty()) {
      const size_t end = std::min(bytes.find('\n'), bytes.size());
      if (end > 0) log::info("server '{}' says: {}", name_, log::printable(bytes.substr(0, end)));
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    if (said_ >= kMaxSaidBytes) log::info("server '{}' says more than is logged", name_);
  }

  Processes& all_;
  const uint32_t index_;
  const std::string name_;
  pid_t pid_ = -1;
  bool up_ = false;  // it runs, and nobody has ended it
  std::chrono::steady_clock::time_point started_at_;
  size_t said_ = 0;
  std::unique_ptr<Stream> input_;
  std::unique_ptr<Stream> output_;
  std::unique_ptr<Stream> errors_;
  std::chrono::milliseconds delay_ = kFirstRestart;
  Timer greeting_;
  Timer restart_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Processes::Processes(Loop& loop, std::vector<policy::McpServer> servers, Fd spawner,
                     std::function<void(audit::ProcessEvent)> record)
    : loop_(loop), servers_(std::move(servers)), spawner_(std::move(spawner)), record_(std::move(record)) {
  for (uint32_t i = 0; i < servers_.size(); ++i) processes_.push_back(std::make_unique<Process>(*this, i));
}

Processes::~Processes() = default;

void Processes::start(Gateway& gateway) {
  gateway_ = &gateway;
  watch_ = std::make_unique<FdWatch>(loop_, spawner_.get(), [this](bool, bool) { read_reply(); });
  watch_->want(true, false);
  for (uint32_t i = 0; i < servers_.size(); ++i) {
    if (!servers_[i].endpoint) ask(SpawnRequest::What::start, i);
  }
}

Processes::Process* Processes::find(const std::string& server) {
  const auto found = std::find_if(processes_.begin(), processes_.end(),
                                  [&](const auto& process) { return process->name() == server; });
  if (found == processes_.end() || servers_[static_cast<size_t>(found - processes_.begin())].endpoint) return nullptr;
  return found->get();
}

Gateway::Callbacks Processes::callbacks() {
  return {.write =
              [this](const std::string& server, const Outgoing& message) {
                if (Process* process = find(server)) process->write(message.line);
              },
          .greeted =
              [this](const std::string& server) {
                if (Process* process = find(server)) process->greeted();
              },
          .broken =
              [this](const std::string& server, const Error& why) {
                if (Process* process = find(server)) process->broken(why);
              }};
}

void Processes::ask(SpawnRequest::What what, uint32_t server) {
  const SpawnRequest request{what, server};
  if (::send(spawner_.get(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof request) {
    log::error("the process that starts servers cannot be asked");
  }
}

void Processes::read_reply() {
  SpawnReply reply;
  iovec bytes{&reply, sizeof reply};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kServerStreams)];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(spawner_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    // Without it no server can be started; the gate is started anew, and it with it.
    log::error("the process that starts servers is gone");
    watch_.reset();
    return loop_.stop();
  }
  Fd streams[kServerStreams];
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS &&
                                                       header->cmsg_len == CMSG_LEN(sizeof(int) * kServerStreams)) {
    int numbers[kServerStreams];
    std::memcpy(numbers, CMSG_DATA(header), sizeof numbers);
    for (size_t i = 0; i < kServerStreams; ++i) streams[i].reset(numbers[i]);
  }
  if (got != sizeof reply || reply.server >= processes_.size()) return;
  Process& process = *processes_[reply.server];
  switch (reply.what) {
    case SpawnReply::What::started:
      return process.started(reply.value, streams);
    case SpawnReply::What::failed:
      return process.failed_to_start(reply.value);
    case SpawnReply::What::ended:
      return process.ended(reply.value);
  }
}

}  // namespace gatehouse::mcp
