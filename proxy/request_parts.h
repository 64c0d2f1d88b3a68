// What the scanner is shown of a request, part by part; and, the other way, which bytes of the request those of a part
// are. Passive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/dlp/client.h"
#include "proxy/held_body.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

// Query parameters, and cookies, that are a part each. Those above it are seen within the wholes alone.
inline constexpr size_t kMaxPartsAlone = 64;
// Shorter names are seen within the wholes alone: they hold no secret.
inline constexpr size_t kMinNameBytes = 8;

// Some bytes of the request.
struct Slice {
  enum class Of { separator, path, name, value, trailer_name, trailer_value, body };
  Of of = Of::separator;  // not the request's: put between two slices
  size_t field = 0;       // index, of names and values; which, of separators
  uint64_t begin = 0;
  uint64_t length = 0;
};

bool overlap(const Slice& a, const Slice& b);

// Name and value of one parameter of a query, or of one cookie; either may be empty.
struct Pair {
  size_t name = 0;
  size_t name_length = 0;
  size_t value = 0;
  size_t value_length = 0;
};
// Those of `text` from `begin` on, between any of `separators`.
std::vector<Pair> split_pairs(std::string_view text, size_t begin, std::string_view separators);

// The parts are: the path without its query ("path"), each query parameter's value ("query:x"), all of those joined
// ("query"), each field's value ("header:x"), each cookie's ("cookie:x"), a list of the names of each kind
// ("query-name", "header-name", "cookie-name"), the target and all fields as they stand ("head"), the body ("body"),
// each trailer field's value ("trailer:x") and their names ("trailer-name").
class RequestParts {
 public:
  // All fields of `head` are shown, so it holds only those that go upstream. It outlives this; its bytes may be
  // overwritten meanwhile, but not moved about.
  explicit RequestParts(const RequestHead& head);

  // In this order, each once. The body's bytes follow begin_body(). `trailers` are under the same terms as the head.
  void show_head(dlp::Scan& scan) const;
  void begin_body(dlp::Scan& scan);
  void show_trailers(dlp::Scan& scan, const Fields& trailers);

  // The request's bytes behind those of a part; none for a part that is none. What lies beyond its end is left out.
  std::vector<Slice> slices_of(uint32_t part, uint64_t offset, uint64_t length) const;
  bool holds(uint32_t part, uint64_t offset, uint64_t length) const;
  // Whether all of the part is shown in others besides, which hold less.
  bool repeats(uint32_t part) const { return part < parts_.size() && parts_[part].repeats; }
  // Whether the part is made of more than one piece of the request.
  bool is_joined(uint32_t part) const { return part < parts_.size() && parts_[part].slices.size() > 1; }

  // What a slice is cut from, the body excepted; and the slice itself.
  std::string_view whole(Slice::Of of, size_t field) const;
  std::string_view text(const Slice& slice) const;
  const RequestHead& head() const { return head_; }

 private:
  struct Part {
    dlp::PartInfo info;
    std::vector<Slice> slices;
    bool repeats = false;
  };
  void add_pairs(std::string_view kind, Slice::Of of, size_t field, const std::vector<Pair>& pairs, Part* joined);
  void add_fields(const Fields& fields, std::string_view kind, Slice::Of names, Slice::Of values);
  void add_names(std::string_view kind, const std::vector<Slice>& names, const std::string& type);
  void add_head();
  void show(dlp::Scan& scan, const Part& part) const;

  const RequestHead& head_;
  const Fields* trailers_ = nullptr;
  std::vector<Part> parts_;
  size_t alone_ = 0;        // of pairs
  std::string query_type_;  // what the scanner is to take its parts for
};

// Overwrites what the redactions mean: in `head` and `trailers`, which are those that `parts` has shown, and in `body`.
// False when one of them means bytes that cannot be overwritten, such as the host: then the request must not go.
bool redact(const std::vector<dlp::Redaction>& redactions, const RequestParts& parts, RequestHead& head,
            Fields& trailers, HeldBody& body);

}  // namespace gatehouse::proxy
