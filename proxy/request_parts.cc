#include "proxy/request_parts.h"

#include <algorithm>

#include "proxy/judgement.h"

namespace gatehouse::proxy {

namespace {

constexpr char kFiller = '*';
constexpr std::string_view kBetweenNameAndValue = ": ";

bool redact(const Slice& slice, RequestHead& head, Fields& trailers, HeldBody& body) {
  const auto fill = [&](std::string& text) {
    text.replace(slice.begin, slice.length, slice.length, kFiller);
    return true;
  };
  switch (slice.of) {
    case Slice::Of::path:
      return fill(head.path);
    case Slice::Of::name:
      return fill(head.fields[slice.field].name);
    case Slice::Of::value:
      // The host goes upstream as it was judged, not as it stands here.
      return !same_token(head.fields[slice.field].name, "Host") && fill(head.fields[slice.field].value);
    case Slice::Of::trailer_name:
      return fill(trailers[slice.field].name);
    case Slice::Of::trailer_value:
      return fill(trailers[slice.field].value);
    case Slice::Of::body:
      return body.overwrite(slice.begin, slice.length, kFiller).value_or(false);
    case Slice::Of::separator:
      break;
  }
  return false;
}

}  // namespace

std::vector<Pair> split_pairs(std::string_view text, size_t begin, std::string_view separators) {
  std::vector<Pair> pairs;
  while (begin < text.size()) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    while (begin < end && text[begin] == ' ') ++begin;
    const size_t equals = std::min(text.find('=', begin), end);
    const size_t value = std::min(equals + 1, end);
    if (begin < end) pairs.push_back({begin, equals - begin, value, end - value});
    begin = end + 1;
  }
  return pairs;
}

RequestParts::RequestParts(const RequestHead& head) : head_(head) {
  add_query();
  for (size_t i = 0; i < head.fields.size(); ++i) {
    const Field& field = head.fields[i];
    const bool cookies = same_token(field.name, "Cookie");
    if (cookies) add_cookies(i);
    parts_.push_back({{"header:" + lower_case(field.name), "", ""},
                      {{Slice::Of::name, i, 0, field.name.size()},
                       {Slice::Of::separator, 0, 0, kBetweenNameAndValue.size()},
                       {Slice::Of::value, i, 0, field.value.size()}},
                      cookies});
  }
}

void RequestParts::add_query() {
  const std::string_view path = head_.path;
  Part joined{{"query", "", ""}, {}, true};
  for (const Pair& pair : split_pairs(path, without_query(path).size() + 1, "&;")) {
    if (pair.value_length == 0) continue;
    const Slice value{Slice::Of::path, 0, pair.value, pair.value_length};
    joined.slices.push_back(value);
    if (joined.slices.size() > kMaxPartsAlone) continue;
    parts_.push_back({{"query:" + std::string(path.substr(pair.name, pair.name_length)), "", ""}, {value}});
  }
  if (joined.slices.size() > 1) parts_.push_back(std::move(joined));
  parts_.push_back({{"path", "", ""}, {{Slice::Of::path, 0, 0, path.size()}}, true});
}

void RequestParts::add_cookies(size_t field) {
  const std::string_view cookies = head_.fields[field].value;
  for (const Pair& pair : split_pairs(cookies, 0, ";")) {
    if (pair.value_length == 0) continue;
    if (++cookies_ > kMaxPartsAlone) return;
    parts_.push_back({{"cookie:" + std::string(cookies.substr(pair.name, pair.name_length)), "", ""},
                      {{Slice::Of::value, field, pair.value, pair.value_length}}});
  }
}

void RequestParts::show_head(dlp::Scan& scan) const {
  for (const Part& part : parts_) show(scan, part);
}

void RequestParts::begin_body(dlp::Scan& scan) {
  const Field* type = find_field(head_.fields, "Content-Type");
  parts_.push_back(
      {{"body", type != nullptr ? type->value : "", lower_case(joined_values(head_.fields, "Content-Encoding"))},
       {{Slice::Of::body, 0, 0, UINT64_MAX}}});
  scan.part(parts_.back().info);
}

void RequestParts::show_trailers(dlp::Scan& scan, const Fields& trailers) {
  trailers_ = &trailers;
  for (size_t i = 0; i < trailers.size(); ++i) {
    parts_.push_back({{"trailer:" + lower_case(trailers[i].name), "", ""},
                      {{Slice::Of::trailer_name, i, 0, trailers[i].name.size()},
                       {Slice::Of::separator, 0, 0, kBetweenNameAndValue.size()},
                       {Slice::Of::trailer_value, i, 0, trailers[i].value.size()}}});
    show(scan, parts_.back());
  }
}

void RequestParts::show(dlp::Scan& scan, const Part& part) const {
  scan.part(part.info);
  std::string bytes;
  for (const Slice& slice : part.slices) bytes += text(slice);
  scan.write(bytes);
}

std::string_view RequestParts::whole(Slice::Of of, size_t field) const {
  switch (of) {
    case Slice::Of::separator:
      return kBetweenNameAndValue;
    case Slice::Of::path:
      return head_.path;
    case Slice::Of::name:
      return head_.fields[field].name;
    case Slice::Of::value:
      return head_.fields[field].value;
    case Slice::Of::trailer_name:
      return (*trailers_)[field].name;
    case Slice::Of::trailer_value:
      return (*trailers_)[field].value;
    case Slice::Of::body:
      break;
  }
  return {};
}

std::string_view RequestParts::text(const Slice& slice) const {
  return whole(slice.of, slice.field).substr(slice.begin, slice.length);
}

std::vector<Slice> RequestParts::slices_of(uint32_t part, uint64_t offset, uint64_t length) const {
  std::vector<Slice> found;
  if (!knows(part) || length > UINT64_MAX - offset) return found;
  uint64_t before = 0;
  for (const Slice& slice : parts_[part].slices) {
    const uint64_t from = std::clamp(offset, before, before + slice.length) - before;
    const uint64_t to = std::clamp(offset + length, before, before + slice.length) - before;
    if (from < to && slice.of != Slice::Of::separator) {
      found.push_back({slice.of, slice.field, slice.begin + from, to - from});
    }
    before += slice.length;
  }
  return found;
}

bool redact(const std::vector<dlp::Redaction>& redactions, const RequestParts& parts, RequestHead& head,
            Fields& trailers, HeldBody& body) {
  for (const auto& redaction : redactions) {
    const auto slices = parts.slices_of(redaction.part, redaction.offset, redaction.length);
    uint64_t covered = 0;
    for (const Slice& slice : slices) {
      if (!redact(slice, head, trailers, body)) return false;
      covered += slice.length;
    }
    // A separator within the span is not the request's to overwrite; anything else that is missing is a mistake.
    if (covered == 0 || covered + kBetweenNameAndValue.size() < redaction.length) return false;
  }
  return !redactions.empty();
}

}  // namespace gatehouse::proxy
