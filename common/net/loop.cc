#include "common/net/loop.h"

#include <cassert>
#include <csignal>
#include <cstdlib>

#include "common/base/options.h"

namespace gatehouse {

namespace {

UvHandle<uv_signal_t> stop_on(Loop& loop, int signal_number) {
  UvHandle<uv_signal_t> handle(new uv_signal_t);
  uv_signal_init(loop.raw(), handle.get());
  handle->data = &loop;
  uv_signal_start(
      handle.get(), [](uv_signal_t* s, int) { static_cast<Loop*>(s->data)->stop(); }, signal_number);
  return handle;
}

}  // namespace

Loop::Loop() : wake_(new uv_async_t) {
  std::signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&loop_) != 0) std::abort();  // out of descriptors before anything has begun
  uv_async_init(&loop_, wake_.get(), [](uv_async_t* handle) {
    if (auto* loop = static_cast<Loop*>(handle->data)) loop->run_posted();
  });
  wake_->data = this;
}

Loop::~Loop() {
  wake_.reset();
  while (uv_run(&loop_, UV_RUN_NOWAIT) != 0) {
  }
  [[maybe_unused]] const int status = uv_loop_close(&loop_);
  assert(status == 0 && "a handle outlived its loop");
}

int Loop::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
  return kExitOk;
}

int Loop::run_until_signal() {
  const auto on_int = stop_on(*this, SIGINT);
  const auto on_term = stop_on(*this, SIGTERM);
  return run();
}

void Loop::stop() { uv_stop(&loop_); }

void Loop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  uv_async_send(wake_.get());
}

bool Loop::turn() {
  uv_run(&loop_, UV_RUN_NOWAIT);
  return uv_loop_alive(&loop_) != 0;
}

void Loop::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

Timer::Timer(Loop& loop, std::function<void()> callback) : handle_(new uv_timer_t), callback_(std::move(callback)) {
  uv_timer_init(loop.raw(), handle_.get());
  handle_->data = this;
}

void Timer::start(std::chrono::milliseconds delay) {
  uv_timer_start(
      handle_.get(),
      [](uv_timer_t* handle) {
        if (auto* timer = static_cast<Timer*>(handle->data)) timer->callback_();
      },
      static_cast<uint64_t>(delay.count()), 0);
}

void Timer::repeat(std::chrono::milliseconds period) {
  start(period);
  uv_timer_set_repeat(handle_.get(), static_cast<uint64_t>(period.count()));
}

void Timer::stop() { uv_timer_stop(handle_.get()); }

FdWatch::FdWatch(Loop& loop, int fd, std::function<void(bool, bool)> callback)
    : handle_(new uv_poll_t), callback_(std::move(callback)) {
  uv_poll_init(loop.raw(), handle_.get(), fd);
  handle_->data = this;
}

void FdWatch::want(bool readable, bool writable) {
  const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  if (events == 0) {
    uv_poll_stop(handle_.get());
    return;
  }
  uv_poll_start(handle_.get(), events, [](uv_poll_t* handle, int status, int ready) {
    auto* watch = static_cast<FdWatch*>(handle->data);
    if (watch == nullptr) return;
    // An error on the descriptor is reported as both, so that the owner's next read or write names it.
    if (status < 0) ready = UV_READABLE | UV_WRITABLE;
    watch->callback_((ready & UV_READABLE) != 0, (ready & UV_WRITABLE) != 0);
  });
}

}  // namespace gatehouse
