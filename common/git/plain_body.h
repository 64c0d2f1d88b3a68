// A push's body as it was before it was packed for the way: git sends small ones gzip'd (Content-Encoding).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/codec/inflate.h"

namespace gatehouse::git {

class PlainBody {
 public:
  // `encoding` is Content-Encoding's value: "", "identity", "gzip" or "x-gzip". Any other is refused.
  static Result<PlainBody> create(std::string_view encoding);

  // Hands on what `bytes` stand for; false when the sink wanted no more. Servers read one gzip member and nothing after
  // it, so anything else is refused.
  Result<bool> decode(std::string_view bytes, ByteSink& sink);
  // Whether it may end here.
  Result<void> finish() const;

 private:
  std::unique_ptr<Inflate> gzip_;  // null: not packed
  bool over_ = false;
};

}  // namespace gatehouse::git
