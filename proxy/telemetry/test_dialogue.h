// For tests: a model call as bytes, read in pieces of any size; and what comes of it.
#pragma once

#include <string>
#include <vector>

#include "proxy/telemetry/model_call.h"

namespace gatehouse::proxy {

struct Dialogue {
  std::string path = {};
  std::string request = {};
  std::string response = {};
  std::string content_type = "application/json";
  std::string request_coding = {};
  std::string response_coding = {};
  int status = 200;
  bool whole = true;
  std::string host = "api.test.example";
  std::string trace_id = "trace";
};

struct Told {
  std::vector<audit::ModelCall> calls;
  std::vector<audit::ToolCall> tools;
  std::vector<audit::ToolResponse> answers;
};

// The request ends at 1,000 us; each piece of the response comes 10 us after the one before, and so does its end.
inline Told read_dialogue(Telemetry& telemetry, const Dialogue& dialogue, size_t piece = SIZE_MAX) {
  ModelCallReader::Moment now{std::chrono::microseconds(1000)};
  const auto cut = [&](std::string_view text, auto take) {
    for (size_t at = 0; at < text.size(); at += std::min(piece, text.size() - at)) take(text.substr(at, piece));
  };
  auto reader = ModelCallReader::begin(telemetry, {.method = "POST",
                                                   .path = dialogue.path,
                                                   .host = dialogue.host,
                                                   .content_encoding = dialogue.request_coding,
                                                   .event_id = "event-" + dialogue.trace_id,
                                                   .trace_id = dialogue.trace_id});
  Told told;
  if (!reader) return told;
  cut(dialogue.request, [&](std::string_view bytes) { reader->request_body(bytes); });
  reader->request_end(now);
  reader->response_head({dialogue.status, dialogue.content_type, dialogue.response_coding}, now);
  cut(dialogue.response, [&](std::string_view bytes) {
    now += std::chrono::microseconds(10);
    reader->response_body(bytes, now);
  });
  now += std::chrono::microseconds(10);
  for (auto& row : reader->end(dialogue.whole, now)) {
    if (auto* call = std::get_if<audit::ModelCall>(&row)) told.calls.push_back(std::move(*call));
    if (auto* tool = std::get_if<audit::ToolCall>(&row)) told.tools.push_back(std::move(*tool));
    if (auto* answer = std::get_if<audit::ToolResponse>(&row)) told.answers.push_back(std::move(*answer));
  }
  return told;
}

inline std::string events(const std::vector<std::string>& data) {
  std::string stream;
  for (const auto& one : data) stream += "data: " + one + "\n\n";
  return stream;
}

}  // namespace gatehouse::proxy
