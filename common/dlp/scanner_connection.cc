#include "common/dlp/scanner_connection.h"

namespace gatehouse::dlp {

ScannerConnection::ScannerConnection(Loop& loop, const Endpoint& scanner)
    : name_(scanner.to_string()), deadline_(loop, [this] { fail_now(Error("no verdict in time")); }) {
  append_hello(waiting_);
  connecting_ = connect_stream(loop, scanner, [this](auto stream) { connected(std::move(stream)); });
}

ScannerConnection::~ScannerConnection() = default;

size_t ScannerConnection::queued() const { return stream_ ? stream_->queued() : waiting_.size(); }

void ScannerConnection::send(std::string_view frames) {
  if (stream_) {
    stream_->write(frames);
  } else {
    waiting_ += frames;
  }
}

void ScannerConnection::connected(Result<std::unique_ptr<Stream>> stream) {
  if (!stream) return fail_now(stream.error());
  stream_ = std::move(*stream);
  stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                          .end = [this] { fail_now(Error("closed the connection")); },
                          .error = [this](const Error& error) { fail_now(error); },
                          .drained = [this] { drained(); }});
  stream_->start_reading();
  stream_->write(waiting_);
  std::string().swap(waiting_);
  if (stream_->queued() == 0) drained();
}

void ScannerConnection::drained() {
  if (callbacks_.drained) callbacks_.drained();
}

void ScannerConnection::received(std::string_view bytes) {
  auto verdict = answers_.receive(bytes);
  if (!verdict) return fail_now(verdict.error());
  if (*verdict) callbacks_.verdict(std::move(**verdict));
}

void ScannerConnection::fail_now(const Error& error) {
  deadline_.stop();
  if (stream_) stream_->stop_reading();
  if (callbacks_.failed) callbacks_.failed(error.in("scanner " + name_));
}

}  // namespace gatehouse::dlp
