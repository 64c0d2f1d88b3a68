#include "guest/agent_session.h"

namespace gatehouse::guest {

using ipc::AgentFrame;

namespace {

template <class Decoded>
Result<AgentRequest> request(Result<Decoded> decoded) {
  if (!decoded) return failed(decoded);
  return AgentRequest(std::move(*decoded));
}

}  // namespace

Result<std::optional<AgentRequest>> AgentSession::next() {
  auto frame = reader_.next();
  if (!frame) return failed(frame);
  if (!*frame) return std::nullopt;
  auto request = read(**frame);
  if (!request) return failed(request);
  return std::move(*request);
}

Result<AgentRequest> AgentSession::read(const ipc::Frame& frame) {
  const bool running = stage_ == Stage::running || stage_ == Stage::input_ended;
  switch (static_cast<AgentFrame>(frame.type)) {
    case AgentFrame::hello: {
      if (stage_ != Stage::greeting) break;
      if (auto ok = ipc::decode_hello(frame.payload); !ok) return failed(ok);
      stage_ = Stage::idle;
      return HelloRequest{};
    }
    case AgentFrame::boot:
      if (stage_ != Stage::idle || booted_) break;
      booted_ = true;
      return request(ipc::decode_boot(frame.payload));
    case AgentFrame::exec:
      if (stage_ != Stage::idle) break;
      stage_ = Stage::running;
      return request(ipc::decode_exec(frame.payload));
    case AgentFrame::stdin_data:
      if (stage_ != Stage::running) break;
      return StdinData{frame.payload};
    case AgentFrame::stdin_end:
      if (stage_ != Stage::running) break;
      if (!frame.payload.empty() && frame.payload != "{}") return fail("stdin_end with a payload");
      stage_ = Stage::input_ended;
      return StdinEnd{};
    case AgentFrame::signal: {
      if (!running) break;
      const auto number = ipc::decode_signal(frame.payload);
      if (!number) return failed(number);
      return SignalRequest{*number};
    }
    case AgentFrame::resize:
      if (!running) break;
      return request(ipc::decode_terminal_size(frame.payload));
    case AgentFrame::ready:
    case AgentFrame::stdout_data:
    case AgentFrame::stderr_data:
    case AgentFrame::exit:
    case AgentFrame::failed:
      break;
    default:
      return fail("frame of unknown type {}", frame.type);
  }
  return fail("frame of type {} out of order", frame.type);
}

}  // namespace gatehouse::guest
