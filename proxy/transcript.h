// For tests and fuzz targets: drives a reader, so that any bytes, cut at any places, become one comparable record.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/request_reader.h"

namespace gatehouse::proxy {

// One message as it came out of a reader, neighbouring body pieces joined. `refusal` is the id, empty if none.
struct Transcript {
  std::string head;  // serialized
  int interim = 0;   // how many 1xx
  std::string body;
  Fields trailers;
  bool got_head = false;
  bool complete = false;
  std::string refusal;
  int status = 0;
  size_t consumed = 0;
  bool operator==(const Transcript&) const = default;
};

// Feeds `piece` and what is left of it again until the reader wants more or is done. Returns false when it is done.
template <class Reader, class Describe>
bool drive(Reader& reader, std::string_view piece, Transcript& transcript, Describe describe) {
  while (true) {
    const auto event = reader.feed(piece);
    if (!event) {
      transcript.refusal = event.error().id;
      transcript.status = event.error().status;
      transcript.consumed = 0;
      return false;
    }
    piece.remove_prefix(event->consumed);
    transcript.consumed += event->consumed;
    switch (event->kind) {
      case ReadEvent::Kind::need_more:
        return true;
      case ReadEvent::Kind::head:
        transcript.got_head = true;
        transcript.head = describe(reader.head());
        break;
      case ReadEvent::Kind::interim:
        ++transcript.interim;
        break;
      case ReadEvent::Kind::body:
        transcript.body.append(event->body);
        break;
      case ReadEvent::Kind::complete:
        transcript.complete = true;
        transcript.trailers = reader.trailers();
        return false;
    }
  }
}

}  // namespace gatehouse::proxy
