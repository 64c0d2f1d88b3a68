#include "proxy/response_restorer.h"

#include <algorithm>

namespace gatehouse::proxy {

ResponseRestorer::ResponseRestorer(std::vector<Echo> echoes) {
  std::stable_sort(echoes.begin(), echoes.end(),
                   [](const Echo& a, const Echo& b) { return a.secret.size() > b.secret.size(); });
  for (const Echo& echo : echoes) stages_.emplace_back(echo.secret, echo.replacement);
}

std::string ResponseRestorer::refuses(const ResponseHead& head) {
  if (head.framing.kind == Framing::Kind::none) return {};
  const std::string coding = lower_case(joined_values(head.fields, "Content-Encoding"));
  if (coding.empty() || coding == "identity") return {};
  return "the answer is encoded although the request did not allow it, so the secret cannot be kept out of it";
}

void ResponseRestorer::restore(std::string& text) {
  for (auto& stage : stages_) {
    std::string out;
    stage.feed(text, out);
    stage.finish(out);
    text = std::move(out);
  }
}

void ResponseRestorer::restore(Fields& fields) {
  for (Field& field : fields) restore(field.value);
}

void ResponseRestorer::restore_head(ResponseHead& head) {
  restore(head.reason);
  restore(head.fields);
  if (head.framing.kind != Framing::Kind::length || head.framing.length == 0) return;
  head.framing = {Framing::Kind::until_close, 0};
  head.content_length.reset();
}

std::string_view ResponseRestorer::run(std::string_view bytes, bool last) {
  in_ = bytes;
  for (auto& stage : stages_) {
    out_.clear();
    stage.feed(in_, out_);
    if (last) stage.finish(out_);
    std::swap(in_, out_);
  }
  return in_;
}

std::string_view ResponseRestorer::restore_body(std::string_view bytes) { return run(bytes, false); }

std::string_view ResponseRestorer::finish_body() { return run({}, true); }

uint64_t ResponseRestorer::restored() const {
  uint64_t all = 0;
  for (const auto& stage : stages_) all += stage.replaced();
  return all;
}

}  // namespace gatehouse::proxy
