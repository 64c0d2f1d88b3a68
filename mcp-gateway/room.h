// What guests make this process hold until it is whole, judged, answered or read: one bound over all clients, so that
// many of them are no way to fill the host's memory. Counted as text; what is made of it is bounded by kMessageLimits.
#pragma once

#include <cstddef>
#include <utility>

namespace gatehouse::mcp {

inline constexpr size_t kMaxGuestBytes = 128 << 20;

class Room {
 public:
  explicit Room(size_t bytes = kMaxGuestBytes) : left_(bytes) {}
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // What one holder takes of it; given back at its end. The room outlives it.
  class Share {
   public:
    explicit Share(Room& room) : room_(room) {}
    ~Share() { (void)resize(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // False, and nothing changed, when there is no room for so many. Fewer than before always fit.
    bool resize(size_t bytes) {
      if (bytes > taken_ && bytes - taken_ > room_.left_) return false;
      room_.left_ += std::exchange(taken_, bytes);
      room_.left_ -= bytes;
      return true;
    }

   private:
    Room& room_;
    size_t taken_ = 0;
  };

 private:
  size_t left_;
};

}  // namespace gatehouse::mcp
