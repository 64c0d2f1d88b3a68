// The first byte chooses scheme and piece size, the rest is what a client sends. However it is cut, the same message or
// the same refusal comes out; nothing behind the message matters; what is forwarded instead reads as the same request;
// and llhttp, where it accepts the raw bytes, finds the same body in them.
#include "proxy/request_reader.h"

#include <llhttp.h>

#include <cstdlib>

#include "proxy/transcript.h"

using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string describe(const RequestHead& head) {
  if (head.form != RequestHead::Form::authority) return serialize_request_head(head, !head.keep_alive);
  return "CONNECT " + head.host + ":" + std::to_string(head.port);
}

struct Reading {
  Transcript transcript;
  RequestHead head;
};

Reading read(std::string_view bytes, size_t piece, Scheme scheme) {
  RequestReader reader(scheme);
  Reading reading;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    if (!drive(reader, bytes.substr(at, piece), reading.transcript, describe)) break;
  }
  if (reading.transcript.got_head) reading.head = reader.head();
  return reading;
}

void require_sound(const RequestHead& head) {
  require(!head.host.empty() && head.host.size() <= kMaxHostBytes && !head.host.ends_with('.') && head.port != 0);
  require(head.host.find_first_of(" /@\\%#?ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos);
  require((head.form == RequestHead::Form::authority) == head.path.empty());
  require(head.path.empty() || head.path.front() == '/');
  require(head.fields.size() <= kMaxHeaderFields);
  require(head.framing.kind != Framing::Kind::until_close);
}

// What goes upstream must be understood there as it was judged here.
void require_forwarded_alike(const Reading& reading) {
  std::string forwarded = serialize_request_head(reading.head, !reading.head.keep_alive);
  const bool chunked = reading.head.framing.kind == Framing::Kind::chunked;
  if (chunked && !reading.transcript.body.empty()) append_chunk(forwarded, reading.transcript.body);
  if (chunked) forwarded.append(serialize_last_chunk(reading.transcript.trailers));
  if (!chunked) forwarded.append(reading.transcript.body);
  const Reading again = read(forwarded, forwarded.size(), reading.head.scheme);
  // Field lines grow by a space after the colon, a long head may pass a limit by that: then it is refused, not misread.
  if (again.transcript.status == 431 || again.transcript.status == 414) return;
  require(again.transcript.complete && again.transcript.consumed == forwarded.size());
  require(again.transcript.head == reading.transcript.head && again.transcript.body == reading.transcript.body);
  require(again.head.host == reading.head.host && again.head.port == reading.head.port);
  require(again.head.path == reading.head.path && again.head.method == reading.head.method);
  require(again.head.framing == reading.head.framing && !again.head.wants_upgrade);
}

void require_llhttp_agrees(std::string_view message, const std::string& body) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_body = [](llhttp_t* parser, const char* at, size_t length) {
    static_cast<std::string*>(parser->data)->append(at, length);
    return 0;
  };
  settings.on_message_complete = [](llhttp_t*) -> int { return HPE_PAUSED; };
  std::string seen;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &seen;
  if (llhttp_execute(&parser, message.data(), message.size()) != HPE_PAUSED) return;
  require(seen == body);
  require(llhttp_get_error_pos(&parser) == message.data() + message.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Scheme scheme = data[0] & 1 ? Scheme::https : Scheme::http;
  const size_t piece = 1 + (data[0] >> 1);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading whole = read(bytes, bytes.size(), scheme);
  require(whole.transcript == read(bytes, piece, scheme).transcript);
  if (whole.transcript.got_head) require_sound(whole.head);
  if (!whole.transcript.complete) return 0;

  const std::string_view message = bytes.substr(0, whole.transcript.consumed);
  require(whole.transcript == read(message, message.size(), scheme).transcript);
  if (whole.head.form == RequestHead::Form::authority) return 0;
  require_forwarded_alike(whole);
  if (!whole.head.wants_upgrade) require_llhttp_agrees(message, whole.transcript.body);
  return 0;
}
