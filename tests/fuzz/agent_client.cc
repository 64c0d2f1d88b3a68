// The input is what a hostile guest sends to the launcher, from the bridge's answer on. However it is cut into pieces,
// the launcher sees the same events and gives the same verdict; nothing is told of a command before it may run, or
// after it has ended; and what the launcher sends is frames that the guest's side could read.
#include "launcher/agent_client.h"

#include <cstdlib>

using namespace gatehouse;
using namespace gatehouse::launcher;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Story {
  std::string events;  // in short
  std::string sent;
  bool broken = false;
};

void tell(const AgentEvent& event, Story& story) {
  if (std::holds_alternative<AgentReady>(event)) {
    require(story.events.empty());
    story.events += "ready ";
  } else if (const auto* output = std::get_if<AgentOutput>(&event)) {
    require(story.events.starts_with("ready ") && story.events.find("exited") == std::string::npos);
    story.events += (output->to_stderr ? "err " : "out ") + output->bytes;
  } else {
    const auto& exited = std::get<AgentExited>(event);
    require(story.events.starts_with("ready ") && story.events.find("exited\n") == std::string::npos);
    require(exited.code >= 0 && exited.code <= 255);
    story.events += fmt::format("exited\n{} {}", exited.code, exited.message);
  }
}

Story listen(std::string_view stream, size_t piece) {
  AgentClient client({"name", "certificate", 0}, {{"true"}, {}, "", std::nullopt});
  Story story;
  story.sent = client.take_output();
  for (size_t at = 0; at < stream.size() && !story.broken; at += piece) {
    const auto events = client.receive(stream.substr(at, piece), 1);
    if (events) {
      for (const auto& event : *events) tell(event, story);
    }
    story.broken = !events;
    story.sent += client.take_output();
  }
  return story;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Story whole = listen(stream, stream.size() + 1);
  const Story bytes = listen(stream, 1);
  require(whole.broken == bytes.broken);
  // Events before a breach in the same piece are lost with the connection, so only an unbroken story must be the same.
  if (!whole.broken) require(whole.events == bytes.events && whole.sent == bytes.sent);

  constexpr std::string_view kConnect = "CONNECT 1024\n";
  require(bytes.sent.starts_with(kConnect));
  ipc::FrameReader reader;
  reader.feed(std::string_view(bytes.sent).substr(kConnect.size()));
  for (;;) {
    const auto frame = reader.next();
    require(frame.has_value());
    if (!*frame) break;
  }
  require(reader.at_boundary());
  return 0;
}
