#include "proxy/finding_places.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/judgement.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kMask = "***";

bool is_encoded(const dlp::Finding& finding) { return !finding.path.empty() || finding.length == 0; }

bool overlap(const Slice& a, const Slice& b) {
  return a.of == b.of && a.field == b.field && a.begin < b.begin + b.length && b.begin < a.begin + a.length;
}

}  // namespace

FindingPlaces::FindingPlaces(const RequestParts& parts, const std::vector<dlp::Finding>& findings)
    : parts_(parts), findings_(findings) {
  for (const auto& finding : findings) {
    const bool encoded = is_encoded(finding);
    const uint64_t length = encoded ? UINT64_MAX - finding.offset : finding.length;
    for (const Slice& slice : parts.slices_of(finding.part, finding.offset, length)) spans_.push_back({slice, encoded});
  }
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

// In a part that holds less of the same text, and so says better where.
bool FindingPlaces::shown_elsewhere(const dlp::Finding& finding) const {
  if (!parts_.repeats(finding.part) || finding.fingerprint.empty()) return false;
  const auto here = first_slice(finding);
  return std::any_of(findings_.begin(), findings_.end(), [&](const dlp::Finding& other) {
    const auto there = first_slice(other);
    return here && there && !parts_.repeats(other.part) && here->of == there->of && here->field == there->field &&
           (is_encoded(finding) || overlap(*here, *there)) && other.rule == finding.rule &&
           other.fingerprint == finding.fingerprint && other.action == finding.action;
  });
}

std::optional<Slice> FindingPlaces::first_slice(const dlp::Finding& finding) const {
  const auto slices = parts_.slices_of(finding.part, finding.offset, std::max<uint64_t>(finding.length, 1));
  return slices.empty() ? std::nullopt : std::optional(slices.front());
}

void FindingPlaces::locate(dlp::Finding& finding) const {
  const auto slice = first_slice(finding);
  if (!slice || slice->of == Slice::Of::body) {
    // Only the scanner knows where in a body, and may name fields and files in it.
    finding.location = log::printable(finding.location);
    return;
  }
  const Slice& at = *slice;
  finding.offset = at.begin;
  const bool in_trailer = at.of == Slice::Of::trailer_name || at.of == Slice::Of::trailer_value;
  const bool in_name = at.of == Slice::Of::name || at.of == Slice::Of::trailer_name;
  if (at.of == Slice::Of::path) {
    const auto path = parts_.head().path;
    finding.location =
        pair_location("query", at, split_pairs(path, without_query(path).size() + 1, "&;"), finding.offset, "path");
    return;
  }
  const auto names = in_trailer ? Slice::Of::trailer_name : Slice::Of::name;
  const auto field = parts_.whole(names, at.field);
  finding.location = fmt::format("{}{}:{}", in_trailer ? "trailer" : "header", in_name ? "-name" : "",
                                 lower_case(name({names, at.field, 0, field.size()})));
  if (at.of != Slice::Of::value || !same_token(field, "Cookie")) return;
  finding.location =
      pair_location("cookie", at, split_pairs(parts_.whole(at.of, at.field), 0, ";"), finding.offset, finding.location);
}

// "query:token", or "query-name:token" for what lies in the name.
std::string FindingPlaces::pair_location(std::string_view kind, const Slice& at, const std::vector<Pair>& pairs,
                                         uint64_t& offset, std::string otherwise) const {
  for (const Pair& pair : pairs) {
    const Slice name_slice{at.of, at.field, pair.name, pair.name_length};
    if (at.begin >= pair.name && at.begin < pair.name + pair.name_length) {
      offset = at.begin - pair.name;
      return fmt::format("{}-name:{}", kind, name(name_slice));
    }
    if (at.begin >= pair.value && at.begin < pair.value + pair.value_length) {
      offset = at.begin - pair.value;
      return fmt::format("{}:{}", kind, name(name_slice));
    }
  }
  return otherwise;
}

// Of something encoded no character is shown: the scanner knows only roughly where it begins.
std::string FindingPlaces::masked(const Slice& slice) const {
  std::vector<bool> hidden(slice.length, false);
  for (const Span& span : spans_) {
    if (!overlap(span.slice, slice)) continue;
    if (span.encoded) return std::string(kMask);
    const uint64_t shown = span.slice.begin >= slice.begin ? dlp::kPrefixBytes : 0;
    const uint64_t end = std::min(span.slice.begin + span.slice.length, slice.begin + slice.length);
    for (uint64_t i = std::max(span.slice.begin + shown, slice.begin); i < end; ++i) hidden[i - slice.begin] = true;
  }
  const auto bytes = parts_.text(slice);
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
    return span.slice.of == Slice::Of::value && same_token(parts_.whole(Slice::Of::name, span.slice.field), "Host");
  });
}

}  // namespace gatehouse::proxy
