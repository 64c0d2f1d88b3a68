#include "dns/server.h"

#include "common/base/log.h"

namespace gatehouse::dns {

namespace {
constexpr std::chrono::seconds kTick{1};
}

Server::Server(Loop& loop, Resolver& resolver, audit::AuditLog& audit, dlp::ScanClient* scanner)
    : loop_(loop),
      resolver_(resolver),
      audit_(audit),
      recorder_(resolver,
                [this](audit::DnsEvent event, std::string asked, Recorder::Committed committed) {
                  record(std::move(event), std::move(asked), std::move(committed));
                }),
      streams_(loop, resolver, recorder_),
      tick_(loop, [this] { tick(); }) {
  recorder_.set_on_room([this] {
    for (const auto& datagrams : datagrams_) datagrams->resume();
    streams_.resume();
  });
  if (scanner != nullptr) {
    name_scan_ = std::make_unique<NameScan>(*scanner, [this](audit::Event event, audit::AuditLog::Committed committed) {
      audit_.append(std::move(event), loop_, std::move(committed));
    });
    recorder_.set_on_unlisted(
        [this](std::string asked, std::string trace_id) { name_scan_->look(std::move(asked), std::move(trace_id)); });
  }
  tick_.repeat(kTick);
}

Server::~Server() {
  for (auto& event : resolver_.last_summaries()) {
    if (name_scan_ != nullptr) name_scan_->veil_last(event);
    audit_.append(std::move(event));
  }
}

Result<void> Server::listen(std::vector<InheritedSocket> sockets) {
  for (auto& socket : sockets) {
    const auto address = local_address(socket.fd.get());
    if (socket.datagram) {
      auto datagrams = DatagramServer::start(loop_, std::move(socket.fd), resolver_, recorder_);
      if (!datagrams) return failed(datagrams, address);
      datagrams_.push_back(std::move(*datagrams));
    } else if (auto ok = streams_.listen(std::move(socket.fd)); !ok) {
      return failed(ok, address);
    }
    log::info("answering on {}", address);
  }
  return {};
}

void Server::record(audit::DnsEvent event, std::string asked, Recorder::Committed committed) {
  if (name_scan_ != nullptr) return name_scan_->record(std::move(event), std::move(asked), std::move(committed));
  audit_.append(std::move(event), loop_, [committed = std::move(committed)](const Result<void>& written) {
    if (!written) return committed(failed(written));
    committed(Recorder::Outcome::as_decided);
  });
}

void Server::tick() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& event : resolver_.summaries(now)) {
    if (name_scan_ != nullptr) {
      name_scan_->sum_up(std::move(event));
    } else {
      audit_.append(std::move(event));
    }
  }
  streams_.close_overdue(now);
}

}  // namespace gatehouse::dns
