// The request that opens a WebSocket, and the upstream's answer to it (RFC 6455 section 4). Pure.
#pragma once

#include <optional>
#include <string>

#include "proxy/http_message.h"
#include "proxy/websocket/handshake.h"

namespace gatehouse::proxy {

// Makes a request for a WebSocket what the rest of the proxy deals with: head.websocket is set, and the fields of the
// handshake, which the proxy says for itself on either side, are gone. Any other request stays as it is; so does one
// that asks for a WebSocket but not as the standards have it (GET, HTTP/1.1, no body, version 13, a proper key; by an
// extended CONNECT version 13), and wants_upgrade goes on saying that it asks for something that is not understood.
void take_websocket(RequestHead& head);

// What a 101 of the upstream's comes to.
struct WebSocketOpened {
  std::string refusal;        // in words, when it is not a proper answer; otherwise empty
  DeflateAgreement upstream;  // how it compresses
  ResponseHead to_guest;      // in its stead: of its fields, the protocol it has chosen alone
};
WebSocketOpened answer_websocket(const RequestHead& request, const ResponseHead& response);

}  // namespace gatehouse::proxy
