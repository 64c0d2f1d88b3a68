// The value that holds now, for any thread to ask for and one to replace.
#pragma once

#include <memory>
#include <mutex>

namespace gatehouse {

// Whoever asked keeps what it got, whatever comes in its place.
template <class T>
class InForce {
 public:
  explicit InForce(std::shared_ptr<const T> first) : now_(std::move(first)) {}

  std::shared_ptr<const T> get() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void set(std::shared_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    now_.swap(next);  // the one before goes with `next`, after the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> now_;
};

}  // namespace gatehouse
