#include "proxy/request_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/judgement.h"

namespace gatehouse::proxy {

namespace {

constexpr char kFiller = '*';
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

// Slice::field of separators.
enum Separator : size_t { kNameEnd, kLineEnd };
constexpr std::string_view separator(size_t which) { return which == kNameEnd ? ": " : "\n"; }

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

bool overlap(const Slice& a, const Slice& b) {
  return a.of == b.of && a.field == b.field && a.begin < b.begin + b.length && b.begin < a.begin + a.length;
}

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
  const std::string_view path = head.path;
  const size_t path_length = without_query(path).size();
  parts_.push_back({{"path", "", ""}, {{Slice::Of::path, 0, 0, path_length}}});
  // As a form reads it, '+' is a space in a query.
  if (path.find('+', path_length) != std::string_view::npos) query_type_ = kForm;
  Part joined{{"query", query_type_, ""}, {}, true};
  add_pairs("query", Slice::Of::path, 0, split_pairs(path, path_length + 1, "&;"), &joined);
  if (joined.slices.size() > 1) parts_.push_back(std::move(joined));
  for (size_t i = 0; i < head.fields.size(); ++i) {
    if (!same_token(head.fields[i].name, "Cookie")) continue;
    add_pairs("cookie", Slice::Of::value, i, split_pairs(head.fields[i].value, 0, ";"), nullptr);
  }
  add_fields(head.fields, "header", Slice::Of::name, Slice::Of::value);
  add_head();
}

void RequestParts::add_pairs(std::string_view kind, Slice::Of of, size_t field, const std::vector<Pair>& pairs,
                             Part* joined) {
  const std::string type = of == Slice::Of::path ? query_type_ : "";
  std::vector<Slice> names;
  for (const Pair& pair : pairs) {
    const Slice name{of, field, pair.name, pair.name_length};
    const Slice value{of, field, pair.value, pair.value_length};
    names.push_back(name);
    if (value.length == 0) continue;
    if (joined != nullptr) joined->slices.push_back(value);
    if (++alone_ > kMaxPartsAlone) continue;
    parts_.push_back({{fmt::format("{}:{}", kind, text(name)), type, ""}, {value}});
  }
  add_names(kind, names, type);
}

void RequestParts::add_fields(const Fields& fields, std::string_view kind, Slice::Of names, Slice::Of values) {
  std::vector<Slice> all;
  for (size_t i = 0; i < fields.size(); ++i) {
    all.push_back({names, i, 0, fields[i].name.size()});
    const bool cookies = values == Slice::Of::value && same_token(fields[i].name, "Cookie");
    parts_.push_back({{fmt::format("{}:{}", kind, lower_case(fields[i].name)), "", ""},
                      {{values, i, 0, fields[i].value.size()}},
                      cookies});
  }
  add_names(kind, all, "");
}

void RequestParts::add_names(std::string_view kind, const std::vector<Slice>& names, const std::string& type) {
  Part part{{fmt::format("{}-name", kind), type, ""}, {}};
  for (const Slice& name : names) {
    if (name.length < kMinNameBytes) continue;
    part.slices.push_back(name);
    part.slices.push_back({Slice::Of::separator, kLineEnd, 0, separator(kLineEnd).size()});
  }
  if (!part.slices.empty()) parts_.push_back(std::move(part));
}

// Here a value stands beside its name, and whatever is spread over the head is together.
void RequestParts::add_head() {
  const Slice line_end{Slice::Of::separator, kLineEnd, 0, separator(kLineEnd).size()};
  Part part{{"head", "", ""}, {{Slice::Of::path, 0, 0, head_.path.size()}, line_end}, true};
  for (size_t i = 0; i < head_.fields.size(); ++i) {
    part.slices.push_back({Slice::Of::name, i, 0, head_.fields[i].name.size()});
    part.slices.push_back({Slice::Of::separator, kNameEnd, 0, separator(kNameEnd).size()});
    part.slices.push_back({Slice::Of::value, i, 0, head_.fields[i].value.size()});
    part.slices.push_back(line_end);
  }
  parts_.push_back(std::move(part));
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
  size_t shown = parts_.size();
  add_fields(trailers, "trailer", Slice::Of::trailer_name, Slice::Of::trailer_value);
  for (; shown < parts_.size(); ++shown) show(scan, parts_[shown]);
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
      return separator(field);
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
  if (part >= parts_.size() || length > UINT64_MAX - offset) return found;
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

bool RequestParts::holds(uint32_t part, uint64_t offset, uint64_t length) const {
  if (part >= parts_.size()) return false;
  uint64_t all = 0;
  for (const Slice& slice : parts_[part].slices) all += slice.length;
  return offset <= all && length <= all - offset;
}

bool redact(const std::vector<dlp::Redaction>& redactions, const RequestParts& parts, RequestHead& head,
            Fields& trailers, HeldBody& body) {
  std::vector<Slice> alone;  // what has been overwritten as parts that hold nothing else
  for (const bool repeats : {false, true}) {
    for (const auto& redaction : redactions) {
      if (parts.repeats(redaction.part) != repeats) continue;
      const auto slices = parts.slices_of(redaction.part, redaction.offset, redaction.length);
      if (slices.empty() || !parts.holds(redaction.part, redaction.offset, redaction.length)) return false;
      // Where values are joined a rule may take the next one's beginning for the secret's end.
      const bool known =
          repeats && std::any_of(slices.begin(), slices.end(), [&](const Slice& slice) {
            return std::any_of(alone.begin(), alone.end(), [&](const Slice& one) { return overlap(one, slice); });
          });
      if (known) continue;
      for (const Slice& slice : slices) {
        if (!redact(slice, head, trailers, body)) return false;
      }
      if (!repeats) alone.insert(alone.end(), slices.begin(), slices.end());
    }
  }
  return !redactions.empty();
}

}  // namespace gatehouse::proxy
