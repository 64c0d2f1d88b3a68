// For tests: messages as permessage-deflate sends them.
#pragma once

#include <zlib.h>

#include <cassert>
#include <string>
#include <string_view>

namespace gatehouse::proxy {

class TestDeflate {
 public:
  TestDeflate() {
    [[maybe_unused]] const int result = deflateInit2(&z_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    assert(result == Z_OK);
  }
  ~TestDeflate() { deflateEnd(&z_); }
  TestDeflate(const TestDeflate&) = delete;
  TestDeflate& operator=(const TestDeflate&) = delete;

  std::string message(std::string_view text, bool takeover = false) {
    if (!takeover) deflateReset(&z_);
    std::string out(deflateBound(&z_, text.size()) + 64, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z_.avail_in = static_cast<uInt>(text.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, Z_SYNC_FLUSH);
    out.resize(out.size() - z_.avail_out);
    assert(out.ends_with(std::string_view("\0\0\xff\xff", 4)));
    out.resize(out.size() - 4);
    return out;
  }

 private:
  z_stream z_{};
};

}  // namespace gatehouse::proxy
