// One request of 2026-07-28 over HTTP (basic/transports/streamable-http): it stands by itself, and so does its answer,
// plain JSON unless there is something to say before it. Whoever hangs up wants it no more. Passive.
#pragma once

#include <chrono>

#include "mcp-gateway/gateway.h"
#include "mcp-gateway/http_reply.h"
#include "proxy/http_message.h"

namespace gatehouse::mcp {

// Whether the header fields say of a request what its body does; else in which words not.
std::optional<std::string> header_mismatch(const proxy::Fields& fields, const Message& message, const Catalogue& tools);

class HttpExchange {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The reply lives until it is answered, or its `gone` has been called.
  HttpExchange(Gateway& gateway, HttpReply& reply, Time now);
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  void take(Message request);
  void tick(Time now);
  bool over() const { return reply_ == nullptr; }

 private:
  void said(std::string_view line, bool last, int code);
  void begin_events();

  Gateway& gateway_;
  HttpReply* reply_;  // null: it is over
  Client* client_ = nullptr;
  bool events_ = false;
  Time now_;
  Time said_;
};

}  // namespace gatehouse::mcp
