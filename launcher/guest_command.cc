#include "launcher/guest_command.h"

#include <unistd.h>

#include <csignal>

#include "common/base/uuid.h"

namespace gatehouse::launcher {

namespace {

constexpr std::chrono::milliseconds kConnectRetry{20};
constexpr std::chrono::seconds kEndGrace{5};    // between SIGTERM at the time limit and giving up on the command
constexpr size_t kMaxQueuedBytes = 256 * 1024;  // in either direction; above, the source is not read
constexpr int kTimedOutCode = 124;              // as timeout(1) exits

}  // namespace

GuestCommand::GuestCommand(Loop& loop, Settings settings, Callbacks callbacks)
    : loop_(loop), settings_(std::move(settings)), callbacks_(std::move(callbacks)) {}

GuestCommand::~GuestCommand() = default;

Result<void> GuestCommand::start() {
  auto input = InputStream::open(loop_, STDIN_FILENO, [this](std::string_view bytes) { take_input(bytes); });
  if (!input) return failed(input, "standard input");
  auto output = OutputStream::open(loop_, STDOUT_FILENO, [this] { apply_backpressure(); });
  if (!output) return failed(output, "standard output");
  auto errors = OutputStream::open(loop_, STDERR_FILENO, [this] { apply_backpressure(); });
  if (!errors) return failed(errors, "standard error");
  input_ = std::move(*input);
  output_ = std::move(*output);
  errors_ = std::move(*errors);

  retry_ = std::make_unique<Timer>(loop_, [this] { connect(); });
  limit_ = std::make_unique<Timer>(loop_, [this] { time_out(); });
  limit_->start(settings_.boot_limit);
  connect();
  return {};
}

void GuestCommand::connect() {
  stream_.reset();
  client_ = std::make_unique<AgentClient>(settings_.boot, settings_.exec);
  Endpoint endpoint;
  endpoint.path = settings_.host_socket;
  connecting_ = connect_stream(loop_, endpoint, [this](Result<std::unique_ptr<Stream>> stream) {
    if (!stream) return lost(stream.error());
    connected(std::move(*stream));
  });
}

void GuestCommand::connected(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_callbacks({
      [this](std::string_view bytes) { received(bytes); },
      [this] { lost(Error("the connection was closed")); },
      [this](const Error& error) { lost(error); },
      [this] { apply_backpressure(); },
  });
  stream_->start_reading();
  flush();
}

void GuestCommand::lost(const Error& error) {
  if (exited_) return;
  last_error_ = error.message();
  if (client_->connected()) return finish(fail("lost the guest: {}", last_error_));
  retry_->start(kConnectRetry);  // nobody listens in the guest yet
}

void GuestCommand::received(std::string_view bytes) {
  const bool was_connected = client_->connected();
  auto events = client_->receive(bytes, now_utc_us());
  if (!events) return finish(failed(events));
  if (!was_connected && client_->connected()) callbacks_.stage("connected");
  flush();
  for (auto& event : *events) handle(std::move(event));
  apply_backpressure();
}

void GuestCommand::handle(AgentEvent event) {
  if (std::holds_alternative<AgentReady>(event)) {
    begin();
  } else if (const auto* output = std::get_if<AgentOutput>(&event)) {
    (output->to_stderr ? *errors_ : *output_).write(output->bytes);
  } else {
    exited_ = std::get<AgentExited>(std::move(event));
    input_->pause();
    limit_->stop();
  }
}

void GuestCommand::begin() {
  callbacks_.stage("running");
  limit_->stop();
  if (settings_.time_limit) limit_->start(*settings_.time_limit);
  if (settings_.exec.terminal) {
    if (auto raw = RawMode::enter(STDIN_FILENO)) raw_mode_.emplace(std::move(*raw));
    signal(SIGWINCH);  // the window may have changed since the start
  }
  input_->resume();
}

void GuestCommand::take_input(std::string_view bytes) {
  if (bytes.empty()) {
    client_->end_input();
  } else {
    client_->send_input(bytes);
  }
  flush();
  apply_backpressure();
}

void GuestCommand::flush() {
  if (!stream_) return;
  if (const std::string bytes = client_->take_output(); !bytes.empty()) stream_->write(bytes);
}

// Whoever takes slowly slows down whoever gives; called whenever one of the queues may have crossed its mark.
void GuestCommand::apply_backpressure() {
  if (exited_) return finish_when_drained();
  if (!stream_ || !client_->running()) return;
  if (output_->queued() > kMaxQueuedBytes || errors_->queued() > kMaxQueuedBytes) {
    stream_->stop_reading();
  } else {
    stream_->start_reading();
  }
  if (stream_->queued() > kMaxQueuedBytes) {
    input_->pause();
  } else {
    input_->resume();
  }
}

void GuestCommand::signal(int number) {
  if (!client_->running()) {
    if (number != SIGWINCH && !exited_) finish(AgentExited{128 + number, ""});
    return;
  }
  if (number != SIGWINCH) {
    client_->send_signal(number);
  } else if (settings_.exec.terminal) {
    client_->resize(terminal_size(STDIN_FILENO));
  }
  flush();
}

void GuestCommand::time_out() {
  if (!client_->running()) {
    return finish(fail("the guest did not come up within {} s ({})", settings_.boot_limit.count(),
                       last_error_.empty() ? "no answer from the bridge" : last_error_));
  }
  if (timed_out_) return finish(AgentExited{kTimedOutCode, ""});
  timed_out_ = true;
  client_->send_signal(SIGTERM);
  flush();
  limit_->start(kEndGrace);
}

void GuestCommand::finish_when_drained() {
  if (output_->queued() > 0 || errors_->queued() > 0) return;
  if (timed_out_) exited_->code = kTimedOutCode;
  finish(std::move(*exited_));
}

void GuestCommand::finish(Result<AgentExited> outcome) {
  raw_mode_.reset();
  input_->pause();
  if (const auto done = std::exchange(callbacks_.done, nullptr)) done(std::move(outcome));
}

}  // namespace gatehouse::launcher
