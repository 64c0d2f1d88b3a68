#include "dlp/worker.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::dlp {

using std::chrono::milliseconds;

Worker::Worker(Loop& loop, OpenScan open_scan, const JudgeFinding& judge, milliseconds max_silence)
    : loop_(loop),
      open_scan_(std::move(open_scan)),
      judge_(judge),
      max_silence_(max_silence),
      silence_check_(loop, [this] { end_silent_streams(); }) {
  silence_check_.repeat(std::min<milliseconds>(max_silence_, kSilenceCheckPeriod));
}

Worker::~Worker() = default;

Result<void> Worker::listen(Fd socket) {
  auto listener = Listener::start(loop_, std::move(socket), [this](auto stream) { accept(std::move(stream)); });
  if (!listener) return failed(listener);
  listeners_.push_back(std::move(*listener));
  return {};
}

void Worker::accept(std::unique_ptr<gatehouse::Stream> stream) {
  if (connections_.size() >= kMaxConnections) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_crowded_warning_) return;
    next_crowded_warning_ = now + kCrowdedWarningPeriod;
    log::warn("more than {} connections at once: the gates that ask are refused", kMaxConnections);
    return;
  }
  const auto place = connections_.emplace(connections_.end());
  *place = std::make_unique<Connection>(loop_, std::move(stream), open_scan_, judge_,
                                        [this, place] { connections_.erase(place); });
}

void Worker::end_silent_streams() {
  const auto since = Connection::Clock::now() - max_silence_;
  const size_t ended = std::erase_if(connections_, [&](const auto& connection) {
    const auto waiting = connection->waiting_since();
    return waiting && *waiting < since;
  });
  if (ended == 0) return;
  silenced_ += ended;
  log::warn("gave up {} streams whose gates had been silent for {} s, {} so far", ended,
            std::chrono::duration_cast<std::chrono::seconds>(max_silence_).count(), silenced_);
}

}  // namespace gatehouse::dlp
