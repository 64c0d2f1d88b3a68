// The first byte chooses the piece size, the rest is a stream of events. Cut anywhere it reads the same.
#include <cstdlib>
#include <string>

#include "proxy/telemetry/event_stream_reader.h"

using namespace gatehouse::proxy;

namespace {

struct Recorder : EventStreamListener {
  void on_data(std::string_view piece) override {
    if (piece.empty() || piece.find('\r') != std::string_view::npos) std::abort();
    text += piece;
  }
  void on_event_end() override { text += '\r'; }
  std::string text;
};

std::string read(std::string_view bytes, size_t piece) {
  Recorder recorder;
  EventStreamReader reader(recorder);
  for (size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
  reader.finish();
  return recorder.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(bytes, bytes.size()) != read(bytes, 1 + data[0] % 32)) std::abort();
  return 0;
}
