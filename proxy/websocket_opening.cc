#include "proxy/websocket_opening.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kProtocol = "Sec-WebSocket-Protocol";
constexpr std::string_view kExtensions = "Sec-WebSocket-Extensions";

// A field that may be there once.
const Field* only(const Fields& fields, std::string_view name) {
  const Field* found = nullptr;
  for (const Field& field : fields) {
    if (!same_cgi_name(field.name, name)) continue;
    if (found != nullptr || !same_token(field.name, name)) return nullptr;
    found = &field;
  }
  return found;
}

bool is_of_handshake(const Field& field) {
  return same_cgi_name(field.name, "Sec-WebSocket-Key") || same_cgi_name(field.name, "Sec-WebSocket-Version") ||
         same_cgi_name(field.name, kExtensions) || same_cgi_name(field.name, "Sec-WebSocket-Accept");
}

}  // namespace

void take_websocket(RequestHead& head) {
  if (!head.wants_upgrade) return;
  const Field* upgrade = only(head.fields, "Upgrade");
  const Field* version = only(head.fields, "Sec-WebSocket-Version");
  const Field* key = only(head.fields, "Sec-WebSocket-Key");
  const bool asked = upgrade != nullptr && same_token(upgrade->value, "websocket") && head.minor_version >= 1 &&
                     key != nullptr && is_websocket_key(key->value);
  const bool proper = (head.extended_connect || asked) && head.method == "GET" && !has_body(head) &&
                      version != nullptr && version->value == kWebSocketVersion;
  if (!proper) return;
  WebSocketOffer offer;
  if (!head.extended_connect) offer.accept = websocket_accept(key->value);
  offer.key = random_websocket_key();
  const auto extensions = answer_extensions(joined_values(head.fields, kExtensions));
  offer.deflate = extensions.agreement.deflate;
  offer.extensions = extensions.answer;
  head.websocket = std::move(offer);
  head.wants_upgrade = false;
  keep_end_to_end(head.fields);
  std::erase_if(head.fields, is_of_handshake);
}

WebSocketOpened answer_websocket(const RequestHead& request, const ResponseHead& response) {
  WebSocketOpened opened;
  const auto refuse = [&](std::string why) {
    opened.refusal = "the upstream's answer to the WebSocket's opening is not proper: " + std::move(why);
    return opened;
  };
  const auto& offer = *request.websocket;
  const Field* upgrade = only(response.fields, "Upgrade");
  if (upgrade == nullptr || !same_token(upgrade->value, "websocket") ||
      !lists_token(response.fields, "Connection", "Upgrade")) {
    return refuse("it changes to another protocol");
  }
  const Field* accept = only(response.fields, "Sec-WebSocket-Accept");
  if (accept == nullptr || accept->value != websocket_accept(offer.key)) return refuse("it answers another key");
  const auto agreed = take_extensions(joined_values(response.fields, kExtensions), offer.deflate);
  if (!agreed) return refuse("it has extensions that were not offered");
  opened.upstream = *agreed;

  ResponseHead& head = opened.to_guest;
  head.status = 101;
  head.reason = "Switching Protocols";
  if (!offer.accept.empty()) head.fields.push_back({"Sec-WebSocket-Accept", offer.accept});
  if (!offer.extensions.empty()) head.fields.push_back({std::string(kExtensions), offer.extensions});
  const std::string protocol = joined_values(response.fields, kProtocol);
  if (protocol.empty()) return opened;
  if (protocol.find(',') != std::string::npos || !lists_token(request.fields, kProtocol, protocol)) {
    return refuse("it has chosen a protocol that was not offered");
  }
  head.fields.push_back({std::string(kProtocol), protocol});
  return opened;
}

}  // namespace gatehouse::proxy
