#include "proxy/finding_places.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/judgement.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kMask = "***";

// Where in its part it begins, the scanner knows only roughly.
bool is_encoded(const dlp::Finding& finding) { return !finding.path.empty() || finding.length == 0; }

}  // namespace

FindingPlaces::FindingPlaces(const RequestParts& parts, const std::vector<dlp::Finding>& findings)
    : parts_(parts), findings_(findings) {
  for (const auto& finding : findings) {
    const bool encoded = is_encoded(finding);
    if (encoded && shown_elsewhere(finding)) continue;
    const bool somewhere = encoded && parts.is_joined(finding.part);
    for (const Slice& slice : slices(finding)) {
      if (slice.of != Slice::Of::body) spans_.push_back({slice, encoded, somewhere});
    }
  }
  // Of what is not reported nobody knows where it is.
  some_unknown_ = findings.size() >= dlp::kMaxFindings ||
                  (!findings.empty() && findings.back().detail.ends_with(dlp::kMoreFindings));
}

// All of its part, for one that is encoded.
std::vector<Slice> FindingPlaces::slices(const dlp::Finding& finding) const {
  return is_encoded(finding) ? parts_.slices_of(finding.part, 0, UINT64_MAX)
                             : parts_.slices_of(finding.part, finding.offset, finding.length);
}

std::vector<dlp::Finding> FindingPlaces::told() const {
  std::vector<dlp::Finding> told;
  for (const auto& finding : findings_) {
    if (shown_elsewhere(finding)) continue;
    dlp::Finding one = finding;
    locate(one);
    one.detail = log::printable(one.detail);
    const bool again = std::any_of(told.begin(), told.end(), [&](const dlp::Finding& other) {
      return other.rule == one.rule && other.location == one.location && other.offset == one.offset &&
             other.path == one.path;
    });
    if (!again) told.push_back(std::move(one));
  }
  return told;
}

// In a part that holds less, and so says better where.
bool FindingPlaces::shown_elsewhere(const dlp::Finding& finding) const {
  if (!parts_.repeats(finding.part)) return false;
  const auto here = slices(finding);
  return std::any_of(findings_.begin(), findings_.end(), [&](const dlp::Finding& other) {
    if (parts_.repeats(other.part) || other.rule != finding.rule || other.action != finding.action) return false;
    // One that lies open is known by its place: where values are joined it may seem longer.
    if (is_encoded(finding) && (finding.fingerprint.empty() || other.fingerprint != finding.fingerprint)) return false;
    const auto there = slices(other);
    return std::any_of(here.begin(), here.end(), [&](const Slice& slice) {
      return std::any_of(there.begin(), there.end(), [&](const Slice& one) { return overlap(slice, one); });
    });
  });
}

void FindingPlaces::locate(dlp::Finding& finding) const {
  const auto found = slices(finding);
  const bool somewhere = is_encoded(finding) && parts_.is_joined(finding.part);
  if (found.empty() || somewhere || found.front().of == Slice::Of::body) {
    // In a body the scanner alone knows where, and may name fields and files in it.
    finding.location = log::printable(finding.location);
    return;
  }
  const Slice& at = found.front();
  uint64_t begin = 0;  // of what is named, in what the slice is cut from
  finding.location = location(at, begin);
  if (!is_encoded(finding)) finding.offset = at.begin - begin;
}

std::string FindingPlaces::location(const Slice& at, uint64_t& begin) const {
  if (at.of == Slice::Of::path) {
    const std::string_view path = parts_.head().path;
    return pair_location("query", at, split_pairs(path, without_query(path).size() + 1, "&;"), "path", begin);
  }
  const bool in_trailer = at.of == Slice::Of::trailer_name || at.of == Slice::Of::trailer_value;
  const bool in_name = at.of == Slice::Of::name || at.of == Slice::Of::trailer_name;
  const auto names = in_trailer ? Slice::Of::trailer_name : Slice::Of::name;
  const auto field = parts_.whole(names, at.field);
  auto said = fmt::format("{}{}:{}", in_trailer ? "trailer" : "header", in_name ? "-name" : "",
                          lower_case(name({names, at.field, 0, field.size()})));
  if (at.of != Slice::Of::value || !same_token(field, "Cookie")) return said;
  return pair_location("cookie", at, split_pairs(parts_.whole(at.of, at.field), 0, ";"), std::move(said), begin);
}

// "query:token", or "query-name:token" for what lies in the name.
std::string FindingPlaces::pair_location(std::string_view kind, const Slice& at, const std::vector<Pair>& pairs,
                                         std::string otherwise, uint64_t& begin) const {
  const auto holds = [&](size_t from, size_t length) { return at.begin >= from && at.begin < from + length; };
  for (const Pair& pair : pairs) {
    const bool in_name = holds(pair.name, pair.name_length);
    if (!in_name && !holds(pair.value, pair.value_length)) continue;
    begin = in_name ? pair.name : pair.value;
    return fmt::format("{}{}:{}", kind, in_name ? "-name" : "", name({at.of, at.field, pair.name, pair.name_length}));
  }
  return otherwise;
}

std::string FindingPlaces::masked(const Slice& slice) const {
  if (some_unknown_) return std::string(kMask);
  const auto bytes = parts_.text(slice);
  std::vector<bool> hidden(bytes.size(), false);
  const auto hide = [&](size_t from, size_t to) {
    for (size_t i = from; i < std::min(to, hidden.size()); ++i) hidden[i] = true;
  };
  for (const Span& span : spans_) {
    if (span.encoded) {
      if (overlap(span.slice, slice)) return std::string(kMask);
      continue;
    }
    // Several of one are reported as one.
    const auto secret = parts_.text(span.slice);
    for (size_t at = bytes.find(secret); at != std::string_view::npos; at = bytes.find(secret, at + 1)) {
      hide(at + dlp::kPrefixBytes, at + secret.size());
    }
    // One that goes on beyond this.
    if (!overlap(span.slice, slice)) continue;
    const uint64_t shown = span.slice.begin >= slice.begin ? dlp::kPrefixBytes : 0;
    const uint64_t from = std::max(span.slice.begin + shown, slice.begin) - slice.begin;
    hide(from, span.slice.begin + span.slice.length - slice.begin);
  }
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (!hidden[i]) {
      out += bytes[i];
    } else if (i == 0 || !hidden[i - 1]) {
      out += kMask;
    }
  }
  return out;
}

std::string FindingPlaces::name(const Slice& slice) const { return log::printable(masked(slice), kMaxShownNameBytes); }

std::string FindingPlaces::masked_path() const {
  const auto path = masked({Slice::Of::path, 0, 0, without_query(parts_.head().path).size()});
  return path.starts_with('/') ? path : "/" + path;
}

bool FindingPlaces::in_host() const {
  return std::any_of(spans_.begin(), spans_.end(), [&](const Span& span) {
    return !span.somewhere && span.slice.of == Slice::Of::value &&
           same_token(parts_.whole(Slice::Of::name, span.slice.field), "Host");
  });
}

}  // namespace gatehouse::proxy
