#include "common/net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gatehouse {

namespace {

constexpr size_t kReadBufferBytes = 64 * 1024;
constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr int kMostAcceptsPerTurn = 64;

// One buffer a thread serves every read: libuv asks for it immediately before the read and hands it to the data
// callback immediately after.
void shared_read_buffer(uv_handle_t*, size_t, uv_buf_t* buffer) {
  static thread_local std::array<char, kReadBufferBytes> bytes;
  *buffer = uv_buf_init(bytes.data(), bytes.size());
}

Error uv_error(std::string_view what, int status) { return Error(fmt::format("{}: {}", what, uv_strerror(status))); }

}  // namespace

// Owns its bytes until libuv is done with them, longer than the stream if need be.
struct Stream::WriteRequest {
  uv_write_t request;
  std::string bytes;
  Stream* stream;
  std::weak_ptr<bool> alive;
};

Stream::Stream(Loop& loop, bool tcp) : loop_(loop), alive_(std::make_shared<bool>(true)) {
  if (tcp) {
    tcp_.reset(new uv_tcp_t);
    uv_tcp_init(loop.raw(), tcp_.get());
    tcp_->data = this;
  } else {
    pipe_.reset(new uv_pipe_t);
    uv_pipe_init(loop.raw(), pipe_.get(), 0);
    pipe_->data = this;
  }
}

Stream::~Stream() = default;

Result<std::unique_ptr<Stream>> Stream::adopt(Loop& loop, Fd socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return fail_errno("adopt");
  const bool tcp = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  std::unique_ptr<Stream> stream(new Stream(loop, tcp));
  const int status =
      tcp ? uv_tcp_open(stream->tcp_.get(), socket.get()) : uv_pipe_open(stream->pipe_.get(), socket.get());
  if (status != 0) return tl::unexpected(uv_error("adopt", status));
  socket.release();
  if (tcp) uv_tcp_nodelay(stream->tcp_.get(), 1);
  return stream;
}

uv_stream_t* Stream::raw() const {
  return tcp_ ? reinterpret_cast<uv_stream_t*>(tcp_.get()) : reinterpret_cast<uv_stream_t*>(pipe_.get());
}

int Stream::fd() const {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(raw()), &fd);
  return fd;
}

void Stream::start_reading() {
  if (reading_) return;
  reading_ = true;
  const int status =
      uv_read_start(raw(), shared_read_buffer, [](uv_stream_t* handle, ssize_t got, const uv_buf_t* buffer) {
        auto* stream = static_cast<Stream*>(handle->data);
        if (stream == nullptr || got == 0) return;
        if (got > 0) {
          stream->callbacks_.data({buffer->base, static_cast<size_t>(got)});
          return;
        }
        stream->stop_reading();
        if (got == UV_EOF) {
          if (stream->callbacks_.end) stream->callbacks_.end();
        } else {
          stream->fail_now("read", static_cast<int>(got));
        }
      });
  if (status != 0) fail_later(status);
}

void Stream::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  uv_read_stop(raw());
}

void Stream::write(std::string_view bytes) {
  if (failed_ || bytes.empty()) return;
  if (queued_ == 0) {
    uv_buf_t buffer = uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
    const int put = uv_try_write(raw(), &buffer, 1);
    if (put > 0) bytes.remove_prefix(static_cast<size_t>(put));
    if (put < 0 && put != UV_EAGAIN) {
      fail_later(put);
      return;
    }
  }
  if (!bytes.empty()) queue_write(bytes);
}

void Stream::queue_write(std::string_view bytes) {
  auto* request = new WriteRequest{{}, std::string(bytes), this, alive_};
  request->request.data = request;
  queued_ += bytes.size();
  uv_buf_t buffer = uv_buf_init(request->bytes.data(), static_cast<unsigned>(request->bytes.size()));
  const int status = uv_write(&request->request, raw(), &buffer, 1, [](uv_write_t* done, int write_status) {
    const std::unique_ptr<WriteRequest> finished(static_cast<WriteRequest*>(done->data));
    if (finished->alive.expired()) return;
    finished->stream->wrote(finished->bytes.size(), write_status);
  });
  if (status != 0) {
    queued_ -= bytes.size();
    delete request;
    fail_later(status);
  }
}

void Stream::wrote(size_t bytes, int status) {
  queued_ -= bytes;
  if (status < 0) {
    fail_now("write", status);
    return;
  }
  if (queued_ == 0 && callbacks_.drained) callbacks_.drained();
}

void Stream::fail_later(int status) {
  loop_.post([this, status, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    fail_now("stream", status);
  });
}

void Stream::fail_now(std::string_view what, int status) {
  if (failed_) return;
  failed_ = true;
  stop_reading();
  if (callbacks_.error) callbacks_.error(uv_error(what, status));
}

void Stream::shutdown() {
  auto* request = new uv_shutdown_t;
  const int status = uv_shutdown(request, raw(), [](uv_shutdown_t* done, int) { delete done; });
  if (status != 0) delete request;  // not connected any more: there is nothing to end
}

void Stream::reset_on_close() {
  const linger abort{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
}

Listener::Listener(Loop& loop, Fd socket, OnAccept on_accept)
    : loop_(loop), socket_(std::move(socket)), on_accept_(std::move(on_accept)), alive_(std::make_shared<bool>(true)) {
  watch_ = std::make_unique<FdWatch>(loop, socket_.get(), [this](bool, bool) { accept_ready(); });
  retry_ = std::make_unique<Timer>(loop, [this] { watch_->want(true, false); });
  watch_->want(true, false);
}

Result<std::unique_ptr<Listener>> Listener::start(Loop& loop, Fd socket, OnAccept on_accept) {
  int listening = 0;
  socklen_t length = sizeof listening;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || listening == 0) {
    return fail("descriptor {} is not a listening socket", socket.get());
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  return std::unique_ptr<Listener>(new Listener(loop, std::move(socket), std::move(on_accept)));
}

void Listener::accept_ready() {
  const std::weak_ptr<bool> alive = alive_;
  for (int i = 0; i < kMostAcceptsPerTurn; ++i) {
    Fd accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        watch_->want(false, false);
        retry_->start(kAcceptRetry);
      }
      return;  // EAGAIN: all taken; ECONNABORTED and the like: the watch fires again
    }
    auto stream = Stream::adopt(loop_, std::move(accepted));
    if (!stream) continue;
    on_accept_(std::move(*stream));
    if (alive.expired()) return;
  }
}

namespace {

class SocketConnecting final : public Connecting {
 public:
  SocketConnecting(Loop& loop, const SocketAddress& to, std::string name, OnDone on_done)
      : loop_(loop),
        name_(std::move(name)),
        on_done_(std::move(on_done)),
        socket_(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        alive_(std::make_shared<bool>(true)) {
    const int status = ::connect(socket_.get(), to.get(), to.length);
    if (status != 0 && errno == EINPROGRESS) {
      watch_ = std::make_unique<FdWatch>(loop, socket_.get(), [this](bool, bool) { finish(pending_error()); });
      watch_->want(false, true);
      return;
    }
    loop.post([this, error = status == 0 ? 0 : errno, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) finish(error);
    });
  }

 private:
  int pending_error() const {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }

  void finish(int error) {
    watch_.reset();
    const auto on_done = std::move(on_done_);
    if (error != 0) {
      on_done(fail_errno_message(error, fmt::format("connect {}", name_)));
      return;
    }
    on_done(Stream::adopt(loop_, std::move(socket_)));
  }

  Loop& loop_;
  std::string name_;
  OnDone on_done_;
  Fd socket_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<bool> alive_;
};

class AddressLookup final : public Resolving {
 public:
  AddressLookup(Loop& loop, const std::string& host, OnDone on_done) : request_(new Request) {
    request_->on_done = std::move(on_done);
    request_->host = host;
    request_->raw.data = request_;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int status = uv_getaddrinfo(
        loop.raw(), &request_->raw,
        [](uv_getaddrinfo_t* raw, int result, addrinfo* found) {
          const std::unique_ptr<Request> request(static_cast<Request*>(raw->data));
          const std::unique_ptr<addrinfo, decltype(&uv_freeaddrinfo)> owned(found, &uv_freeaddrinfo);
          if (request->owner == nullptr) return;
          request->owner->request_ = nullptr;
          request->on_done(addresses(request->host, result, found));
        },
        host.c_str(), nullptr, &hints);
    request_->owner = this;
    if (status != 0) {
      loop.post([request = request_, status] {
        const std::unique_ptr<Request> owned(request);
        if (owned->owner == nullptr) return;
        owned->owner->request_ = nullptr;
        owned->on_done(tl::unexpected(uv_error("look up " + owned->host, status)));
      });
    }
  }
  ~AddressLookup() override {
    if (request_ == nullptr) return;
    request_->owner = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&request_->raw));
  }

 private:
  // Outlives the look-up object when that is abandoned: libuv's thread may still be writing to it.
  struct Request {
    uv_getaddrinfo_t raw;
    std::string host;
    OnDone on_done;
    AddressLookup* owner = nullptr;
  };

  static Result<std::vector<IpAddress>> addresses(const std::string& host, int status, const addrinfo* found) {
    if (status != 0) return tl::unexpected(uv_error("look up " + host, status));
    std::vector<IpAddress> list;
    for (; found != nullptr; found = found->ai_next) {
      IpAddress address;
      if (found->ai_family == AF_INET) {
        std::array<uint8_t, 4> octets;
        std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr, 4);
        address = IpAddress::v4(octets);
      } else if (found->ai_family == AF_INET6) {
        std::array<uint8_t, 16> octets;
        std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6*>(found->ai_addr)->sin6_addr, 16);
        address = IpAddress::v6(octets);
      } else {
        continue;
      }
      if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
    }
    if (list.empty()) return fail("look up {}: no address", host);
    return list;
  }

  Request* request_;
};

}  // namespace

std::unique_ptr<Connecting> connect_stream(Loop& loop, const Endpoint& endpoint, Connecting::OnDone on_done) {
  return connect_stream(loop, socket_address(endpoint), endpoint.to_string(), std::move(on_done));
}

std::unique_ptr<Connecting> connect_stream(Loop& loop, const SocketAddress& to, std::string name,
                                           Connecting::OnDone on_done) {
  return std::make_unique<SocketConnecting>(loop, to, std::move(name), std::move(on_done));
}

std::unique_ptr<Resolving> resolve(Loop& loop, const std::string& host, Resolving::OnDone on_done) {
  return std::make_unique<AddressLookup>(loop, host, std::move(on_done));
}

}  // namespace gatehouse
