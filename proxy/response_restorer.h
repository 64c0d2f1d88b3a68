// Answers of a host that knows secrets: where one comes back, the guest gets its placeholder. Passive.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http_message.h"
#include "proxy/stream_replacer.h"

namespace gatehouse::proxy {

class ResponseRestorer {
 public:
  struct Echo {
    std::string_view secret;       // as it is written in the answer
    std::string_view replacement;  // what the guest gets
  };
  // What the echoes refer to outlives this. Where one text is in another the longer is replaced.
  explicit ResponseRestorer(std::vector<Echo> echoes);

  // Why such an answer cannot be looked through, in words; empty when it can. Asked first.
  static std::string refuses(const ResponseHead& head);

  // The length of what follows can no longer be told: a declared one is taken out.
  void restore_head(ResponseHead& head);
  void restore(Fields& fields);
  // Decoded bytes of the body: what may go by now; valid until the next call.
  std::string_view restore_body(std::string_view bytes);
  // The body has ended: the rest of it.
  std::string_view finish_body();

  // How often one came back.
  uint64_t restored() const;

 private:
  void restore(std::string& text);
  std::string_view run(std::string_view bytes, bool last);

  std::list<StreamReplacer> stages_;
  std::string in_, out_;
};

}  // namespace gatehouse::proxy
