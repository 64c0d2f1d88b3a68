#include "common/dlp/client.h"

#include <cassert>
#include <list>
#include <optional>

#include "common/dlp/scanner_connection.h"

namespace gatehouse::dlp {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A request of up to this much goes out in one write, with its end.
constexpr size_t kFlushBytes = 64 * 1024;

// The connections that no stream is on, the last used first: those at the back may be closed by either side.
class Pool {
 public:
  Pool(Loop& loop, Endpoint scanner) : loop_(loop), scanner_(std::move(scanner)) {}

  struct Taken {
    std::unique_ptr<ScannerConnection> connection;
    bool kept = false;  // it has carried streams before, and may have been closed meanwhile
  };
  Taken take() {
    if (idle_.empty()) return {fresh(), false};
    Taken taken{std::move(idle_.front()), true};
    idle_.pop_front();
    return taken;
  }

  std::unique_ptr<ScannerConnection> fresh() { return std::make_unique<ScannerConnection>(loop_, scanner_); }

  void give_back(std::unique_ptr<ScannerConnection> connection) {
    if (idle_.size() >= kMaxIdleScanConnections) return;
    idle_.push_front(std::move(connection));
    // A verdict cannot come, since none is expected: anything that is said now is a failure.
    const auto place = idle_.begin();
    (*place)->set_callbacks(
        {.verdict = {}, .failed = [this, place](const Error&) { idle_.erase(place); }, .drained = {}});
  }

  Loop& loop() { return loop_; }

 private:
  Loop& loop_;
  const Endpoint scanner_;
  std::list<std::unique_ptr<ScannerConnection>> idle_;
};

class SocketScan final : public Scan {
 public:
  SocketScan(Pool& pool, milliseconds deadline, const StreamInfo& stream) : pool_(pool), deadline_(deadline) {
    note(append_open(buffer_, stream));
  }

  void part(const PartInfo& part) override {
    assert(!finishing_);
    if (!error_) note(append_part(buffer_, part));
    if (buffer_.size() >= kFlushBytes) flush();
  }

  void write(std::string_view bytes) override {
    assert(!finishing_);
    while (!bytes.empty() && !error_) {
      // At least a byte's room is left: a full buffer has been flushed.
      const std::string_view piece = bytes.substr(0, kFlushBytes - std::min(buffer_.size(), kFlushBytes - 1));
      append_data(buffer_, piece);
      bytes.remove_prefix(piece.size());
      if (buffer_.size() >= kFlushBytes) flush();
    }
  }

  size_t queued() const override { return error_ ? 0 : buffer_.size() + (connection_ ? connection_->queued() : 0); }

  void on_drained(std::function<void()> callback) override { on_drained_ = std::move(callback); }

  void check(OnVerdict on_verdict) override { ask(FrameType::check, std::move(on_verdict)); }

  void finish(OnVerdict on_verdict) override {
    ask(FrameType::end, std::move(on_verdict));
    finishing_ = true;
  }

 private:
  void ask(FrameType question, OnVerdict on_verdict) {
    assert(!on_verdict_ && "one question at a time");
    assert(!finishing_);
    on_verdict_ = std::move(on_verdict);
    if (error_) return tell_later();
    append_frame(buffer_, question);
    answer_by_ = steady_clock::now() + deadline_;
    flush();
    expect_verdict();
  }

  // Sends what is in the buffer. While nothing has been answered on a kept connection and this was the first of it, it
  // is kept, to be said once more on a fresh one.
  void flush() {
    if (!connection_) {
      auto [connection, kept] = pool_.take();
      adopt(std::move(connection));
      if (kept) replay_ = buffer_;
    } else {
      replay_.reset();
    }
    connection_->send(buffer_);
    buffer_.clear();
    watch_progress();
  }

  // Where no verdict is waited for the scanner must at least go on reading.
  void watch_progress() {
    if (on_verdict_ || stalled_ || connection_->queued() == 0) return;
    stalled_ = true;
    connection_->start_deadline(deadline_);
  }

  void adopt(std::unique_ptr<ScannerConnection> connection) {
    connection_ = std::move(connection);
    connection_->set_callbacks({.verdict = [this](ScanVerdict verdict) { judged(std::move(verdict)); },
                                .failed = [this](const Error& error) { broken(error); },
                                .drained = [this] { drained(); }});
  }

  void expect_verdict() {
    connection_->expect_verdict();
    const auto left = std::chrono::ceil<milliseconds>(answer_by_ - steady_clock::now());
    connection_->start_deadline(std::max(left, milliseconds(0)));
  }

  void drained() {
    stalled_ = false;
    if (!on_verdict_) connection_->stop_deadline();
    if (on_drained_) on_drained_();
  }

  void judged(ScanVerdict verdict) {
    connection_->stop_deadline();
    stalled_ = false;
    replay_.reset();
    const auto on_verdict = std::exchange(on_verdict_, {});
    if (finishing_) {
      pool_.give_back(std::move(connection_));
    } else {
      watch_progress();
    }
    on_verdict(std::move(verdict));
  }

  void broken(const Error& error) {
    connection_.reset();
    stalled_ = false;
    if (replay_) {
      // Closed while it was idle, most likely. Only once: the next connection is fresh.
      const std::string again = *std::exchange(replay_, {});
      adopt(pool_.fresh());
      connection_->send(again);
      if (on_verdict_) expect_verdict();
      return;
    }
    give_up(error);
  }

  // From here on what is written is dropped and every question has the same answer. The connection is gone.
  void give_up(const Error& error) {
    error_ = error;
    std::string().swap(buffer_);
    tell();
  }

  // Whoever waits, for a verdict or to write on, is told.
  void tell() {
    if (on_verdict_) {
      const auto on_verdict = std::exchange(on_verdict_, {});
      on_verdict(tl::unexpected(*error_));
    } else if (on_drained_) {
      on_drained_();
    }
  }

  void tell_later() {
    pool_.loop().post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) tell();
    });
  }

  // A stream or a part that cannot be put in words.
  void note(const Result<void>& said) {
    if (said) return;
    error_ = said.error();
    connection_.reset();
    std::string().swap(buffer_);
    tell_later();
  }

  Pool& pool_;
  const milliseconds deadline_;
  std::unique_ptr<ScannerConnection> connection_;  // from the first flush on
  std::string buffer_;                             // frames to be sent
  std::optional<std::string> replay_;
  std::optional<Error> error_;
  OnVerdict on_verdict_;
  std::function<void()> on_drained_;
  steady_clock::time_point answer_by_;
  bool finishing_ = false;
  bool stalled_ = false;  // the deadline runs, since the scanner does not read
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class SocketScanClient final : public ScanClient {
 public:
  SocketScanClient(Loop& loop, Endpoint scanner, Deadline deadline)
      : pool_(loop, std::move(scanner)), deadline_(std::move(deadline)) {}

  std::unique_ptr<Scan> open(const StreamInfo& stream) override {
    return std::make_unique<SocketScan>(pool_, deadline_(), stream);
  }

 private:
  Pool pool_;
  const Deadline deadline_;
};

}  // namespace

std::unique_ptr<ScanClient> ScanClient::create(Loop& loop, Endpoint scanner, milliseconds deadline) {
  return create(loop, std::move(scanner), [deadline] { return deadline; });
}

std::unique_ptr<ScanClient> ScanClient::create(Loop& loop, Endpoint scanner, Deadline deadline) {
  return std::make_unique<SocketScanClient>(loop, std::move(scanner), std::move(deadline));
}

}  // namespace gatehouse::dlp
