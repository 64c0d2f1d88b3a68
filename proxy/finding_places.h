// How findings in a request are told in rows and denials: where its reader would look for them, and without what was
// found. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/dlp/finding.h"
#include "proxy/request_parts.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxShownNameBytes = 40;  // of a parameter's, cookie's or field's name, which the guest chose

class FindingPlaces {
 public:
  // Both outlive this; nothing of the request is overwritten before its last use.
  FindingPlaces(const RequestParts& parts, const std::vector<dlp::Finding>& findings);

  // The findings, each once, though several parts show it: with location and offset as in "query:token", counted from
  // the beginning of the value, rather than in the target that holds it. Names and texts are printable, and masked
  // where they hold something found.
  std::vector<dlp::Finding> told() const;
  // The path without its query; what was found in it is masked.
  std::string masked_path() const;
  bool in_host() const;

 private:
  struct Span {
    Slice slice;
    bool encoded = false;    // where exactly is not known
    bool somewhere = false;  // nor in which of several
  };
  std::vector<Slice> slices(const dlp::Finding& finding) const;
  bool shown_elsewhere(const dlp::Finding& finding) const;
  void locate(dlp::Finding& finding) const;
  std::string location(const Slice& at, uint64_t& begin) const;
  std::string pair_location(std::string_view kind, const Slice& at, const std::vector<Pair>& pairs,
                            std::string otherwise, uint64_t& begin) const;
  std::string masked(const Slice& slice) const;
  std::string name(const Slice& slice) const;

  const RequestParts& parts_;
  const std::vector<dlp::Finding>& findings_;
  std::vector<Span> spans_;
  bool some_unknown_ = false;
};

}  // namespace gatehouse::proxy
