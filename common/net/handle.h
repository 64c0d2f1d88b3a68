// Ownership of libuv handles. common/net is the only includer of <uv.h>.
#pragma once

#include <uv.h>

#include <memory>

namespace gatehouse {

// Closes a handle and frees it once libuv lets go of it. `data` is cleared first, so a callback already under way
// finds no owner.
template <class H>
struct UvClose {
  void operator()(H* handle) const {
    handle->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) { delete reinterpret_cast<H*>(closed); });
  }
};

template <class H>
using UvHandle = std::unique_ptr<H, UvClose<H>>;

}  // namespace gatehouse
