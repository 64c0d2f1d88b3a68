// The first byte chooses the request's method and the piece size, the rest is what an upstream sends before it closes.
// However it is cut, the same message or the same refusal (502) comes out, and what is forwarded to the guest reads as
// the same response.
#include "proxy/response_reader.h"

#include <cstdlib>

#include "proxy/transcript.h"

using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  Transcript transcript;
  ResponseHead head;
};

Reading read(std::string_view bytes, size_t piece, std::string_view method) {
  ResponseReader reader(method);
  Reading reading;
  const auto describe = [](const ResponseHead& head) {
    return serialize_response_head(head, head.framing, !head.keep_alive);
  };
  bool more = true;
  for (size_t at = 0; more && at < bytes.size(); at += piece) {
    more = drive(reader, bytes.substr(at, piece), reading.transcript, describe);
  }
  if (more) reading.transcript.complete = reader.finish().has_value();
  if (reading.transcript.got_head) reading.head = reader.head();
  return reading;
}

void require_forwarded_alike(const Reading& reading, std::string_view method) {
  const RequestHead request;
  const Framing framing = framing_for_guest(request, reading.head);
  require(framing.kind != Framing::Kind::until_close);
  std::string forwarded = serialize_response_head(reading.head, framing, !reading.head.keep_alive);
  const bool chunked = framing.kind == Framing::Kind::chunked;
  if (chunked && !reading.transcript.body.empty()) append_chunk(forwarded, reading.transcript.body);
  if (chunked) forwarded.append(serialize_last_chunk(reading.transcript.trailers));
  if (!chunked) forwarded.append(reading.transcript.body);
  const Reading again = read(forwarded, forwarded.size(), method);
  // What is added to a head can lift it over a limit: then it is refused, not misread.
  const std::string& refusal = again.transcript.refusal;
  if (refusal.ends_with("-too-long") || refusal.ends_with("-too-large") || refusal == "http.too-many-headers") return;
  require(again.transcript.complete && again.transcript.consumed == forwarded.size());
  require(again.transcript.body == reading.transcript.body && again.head.status == reading.head.status);
  require(again.head.framing == framing && again.head.keep_alive == reading.head.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "CONNECT"};
  const std::string_view method = kMethods[data[0] & 3];
  const size_t piece = 1 + (data[0] >> 2);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading whole = read(bytes, bytes.size(), method);
  require(whole.transcript == read(bytes, piece, method).transcript);
  require(whole.transcript.refusal.empty() || whole.transcript.status == 502);
  if (!whole.transcript.complete) return 0;

  const int status = whole.head.status;
  require(status >= 200 || status == 101);
  if (method == "HEAD" || status == 204 || status == 304 || status == 101) require(whole.transcript.body.empty());
  if (status != 101 && method != "CONNECT") require_forwarded_alike(whole, method);
  return 0;
}
