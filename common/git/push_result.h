// An upstream's answer to a push (gitprotocol-pack, "Report Status"; side-band-64k) on its way to the client, by whole
// pkt-lines: so that, where it breaks off, the client can still be told why in a form that git prints.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/git/pkt_line.h"

namespace gatehouse::git {

class PushResult {
 public:
  explicit PushResult(bool side_band) : side_band_(side_band) {}

  // What of it may go to the client. Refused: what is no such answer.
  Result<std::string> feed(std::string_view bytes);
  // Whether it may end here: after a flush, or before anything.
  bool complete() const { return (over_ || !begun_) && lines_.rest().empty(); }
  // Whether what has passed is of use by itself, so that the client need not wait for the rest: before anything has come
  // it may end, but cannot be told from one that breaks off.
  bool streams() const { return over_ || (side_band_ && begun_); }
  // Ends what has passed, for a client that has agreed to side-band-64k; empty for any other.
  std::string broken_off(std::string_view words) const;

 private:
  const bool side_band_;
  PktReader lines_;
  bool begun_ = false;
  bool over_ = false;  // the last pkt-line was a flush
};

}  // namespace gatehouse::git
