// One request to a language model and its response, read as their bytes pass. Passive: it is shown copies, answers
// nothing, and what it cannot read it counts.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/audit/event.h"
#include "proxy/telemetry/model_api.h"
#include "proxy/telemetry/plain_body.h"
#include "proxy/telemetry/request_facts.h"
#include "proxy/telemetry/response_facts.h"
#include "proxy/telemetry/telemetry.h"

namespace gatehouse::proxy {

class ModelCallReader {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  struct Request {
    std::string_view method;
    std::string_view path;  // with or without query
    std::string host;
    std::string_view content_encoding;
    std::string event_id;  // of its net_events row
    std::string trace_id;
  };
  struct Response {
    int status = 0;
    std::string_view content_type;
    std::string_view content_encoding;
  };

  // Null when it cannot be a model call. `telemetry` outlives it.
  static std::unique_ptr<ModelCallReader> begin(Telemetry& telemetry, const Request& request);
  ~ModelCallReader();
  ModelCallReader(const ModelCallReader&) = delete;
  ModelCallReader& operator=(const ModelCallReader&) = delete;

  // Bytes of the bodies, without transfer coding, as they pass; valid during the call only.
  void request_body(std::string_view bytes);
  void request_end(Moment now);
  void response_head(const Response& response, Moment now);
  void response_body(std::string_view bytes, Moment now);

  // The exchange is over; `whole` when all of the response came. The rows to be written: of the call, of the answers to
  // earlier calls it brought, of the calls that came back. None when it was no model call.
  std::vector<audit::Event> end(bool whole, Moment now);

 private:
  ModelCallReader(Telemetry& telemetry, const Request& request, ModelRoute route);
  std::unique_ptr<PlainBody> open_body(std::string_view coding, PlainBody::OnBytes on_bytes);
  void count_tokens();
  void tell_answers(std::vector<audit::Event>& rows);
  void tell_tools(std::vector<audit::Event>& rows);
  std::string call_hash(const std::string& tool, const std::string& arguments) const;
  void remark(std::string_view words);

  Telemetry& telemetry_;
  const ModelRoute route_;
  const std::string host_;
  audit::ModelCall row_;
  int decoders_ = 0;  // taken of the telemetry's
  RequestFacts request_;
  std::unique_ptr<PlainBody> request_body_;
  std::optional<bool> known_;  // whether it is a model call, once the request is over
  std::optional<ResponseFacts> response_;
  std::unique_ptr<PlainBody> response_body_;
  std::optional<Moment> sent_;  // the end of the request
  std::optional<Moment> first_token_;
};

}  // namespace gatehouse::proxy
