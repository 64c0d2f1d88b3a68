#include "launcher/agent_client.h"

#include "common/base/log.h"

namespace gatehouse::launcher {

using ipc::AgentFrame;

namespace {

constexpr size_t kMaxAnswerBytes = 64;  // "OK 4294967295\n" and then some
constexpr size_t kInputFrameBytes = 32 * 1024;

}  // namespace

AgentClient::AgentClient(const ipc::Boot& boot, const ipc::Exec& exec)
    : boot_(boot), exec_(ipc::encode(exec)), output_(fmt::format("CONNECT {}\n", ipc::kAgentPort)) {}

Result<std::vector<AgentEvent>> AgentClient::receive(std::string_view bytes, int64_t now_utc_us) {
  std::vector<AgentEvent> events;
  if (state_ == State::connecting) {
    if (auto ok = read_connect_answer(bytes); !ok) return failed(ok);
  }
  reader_.feed(bytes);
  for (;;) {
    auto next = reader_.next();
    if (!next) return failed(next, "guest agent");
    if (!*next) return events;
    const ipc::Frame& frame = **next;
    const auto type = static_cast<AgentFrame>(frame.type);
    if (state_ == State::greeting && type == AgentFrame::hello) {
      if (auto ok = ipc::decode_hello(frame.payload); !ok) return failed(ok, "guest agent");
      boot_.time_us = now_utc_us;
      send(AgentFrame::boot, ipc::encode(boot_));
      state_ = State::booting;
    } else if (state_ == State::booting && type == AgentFrame::ready) {
      send(AgentFrame::exec, exec_);
      state_ = State::running;
      events.emplace_back(AgentReady{});
    } else if (state_ == State::running) {
      auto event = read_running_frame(frame);
      if (!event) return failed(event, "guest agent");
      events.push_back(std::move(*event));
    } else {
      return fail("guest agent: unexpected frame of type {}", frame.type);
    }
  }
}

Result<void> AgentClient::read_connect_answer(std::string_view& bytes) {
  const size_t newline = bytes.find('\n');
  answer_ += bytes.substr(0, newline);
  if (answer_.size() > kMaxAnswerBytes) return fail("bridge: unexpected answer '{}'", log::printable(answer_, 40));
  bytes.remove_prefix(newline == std::string_view::npos ? bytes.size() : newline + 1);
  if (newline == std::string_view::npos) return {};
  if (!answer_.starts_with("OK ")) return fail("bridge: unexpected answer '{}'", log::printable(answer_, 40));
  state_ = State::greeting;
  send(AgentFrame::hello, ipc::encode_hello());
  return {};
}

Result<AgentEvent> AgentClient::read_running_frame(const ipc::Frame& frame) {
  const auto type = static_cast<AgentFrame>(frame.type);
  if (type == AgentFrame::stdout_data || type == AgentFrame::stderr_data) {
    return AgentOutput{type == AgentFrame::stderr_data, frame.payload};
  }
  if (type != AgentFrame::exit && type != AgentFrame::failed) return fail("unexpected frame of type {}", frame.type);
  auto exit = ipc::decode_exit(frame.payload);
  if (!exit) return failed(exit);
  state_ = State::done;
  if (type == AgentFrame::exit) return AgentExited{exit->code, ""};
  return AgentExited{exit->code, exit->message.empty() ? "cannot be started" : exit->message};
}

std::string AgentClient::take_output() { return std::exchange(output_, {}); }

void AgentClient::send_input(std::string_view bytes) {
  for (; running() && !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kInputFrameBytes))) {
    send(AgentFrame::stdin_data, bytes.substr(0, kInputFrameBytes));
  }
}

void AgentClient::end_input() {
  if (running()) send(AgentFrame::stdin_end, "");
}

void AgentClient::send_signal(int number) {
  if (running()) send(AgentFrame::signal, ipc::encode_signal(number));
}

void AgentClient::resize(const ipc::TerminalSize& size) {
  if (running()) send(AgentFrame::resize, ipc::encode(size));
}

void AgentClient::send(AgentFrame type, std::string_view payload) {
  ipc::append_frame(output_, static_cast<uint8_t>(type), payload);
}

}  // namespace gatehouse::launcher
