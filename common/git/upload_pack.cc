#include "common/git/upload_pack.h"

#include <algorithm>
#include <cassert>

#include "common/base/log.h"

namespace gatehouse::git {

namespace {

constexpr std::string_view kService = "# service=git-upload-pack";
constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";
constexpr std::string_view kPeeled = "^{}";
constexpr char kPackBand = 1;
constexpr char kErrorBand = 3;

Result<void> check_error(std::string_view line) {
  constexpr std::string_view kError = "ERR ";
  if (line.starts_with(kError)) return fail("the remote says: {}", log::printable(line.substr(kError.size()), 200));
  return {};
}

// The pkt-lines of `body`, in turn; what is left of it at the end is an error.
template <class Use>
Result<void> each_line(std::string_view body, Use use) {
  if (body.size() > kMaxRefsBytes) return fail("the list of refs has more than {} bytes", kMaxRefsBytes);
  PktReader lines;
  lines.feed(body);
  for (;;) {
    const auto pkt = lines.next();
    if (!pkt) return failed(pkt);
    if (!*pkt) break;
    const auto line = without_line_feed((*pkt)->payload);
    if (auto ok = check_error(line); !ok) return ok;
    if (auto ok = use((*pkt)->kind, line); !ok) return ok;
  }
  if (!lines.rest().empty()) return fail("it is cut short");
  return {};
}

template <class Use>
void each_word(std::string_view words, Use use) {
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (!word.empty()) use(word);
  }
}

Result<ObjectFormat> format_named(std::string_view name) {
  for (const auto format : {ObjectFormat::sha1, ObjectFormat::sha256}) {
    if (name == to_string(format)) return format;
  }
  return fail("the object format '{}' is not known", log::printable(name, 64));
}

void note_tip(RemoteRefs& refs, std::string_view ref, std::string_view id, std::string_view leads_to) {
  if (ref == "HEAD") refs.head = id;
  if (ref.starts_with(kBranches) || ref.starts_with(kTags)) {
    refs.tips[std::string(ref)] = {std::string(id), std::string(leads_to)};
  }
}

// "<id> <ref>" of version 0. What a tag leads to follows it as "<id> <ref>^{}".
Result<void> read_old_ref(std::string_view line, ObjectFormat format, RemoteRefs& refs) {
  const size_t length = hex_length(format);
  if (line.size() < length + 2 || line[length] != ' ' || !is_object_id(line.substr(0, length), format)) {
    return fail("a line that names no ref: '{}'", log::printable(line, 100));
  }
  const auto id = line.substr(0, length);
  auto ref = line.substr(length + 1);
  if (!ref.ends_with(kPeeled)) {
    note_tip(refs, ref, id, id);
    return {};
  }
  ref.remove_suffix(kPeeled.size());
  if (const auto tag = refs.tips.find(std::string(ref)); tag != refs.tips.end()) tag->second.leads_to = id;
  return {};
}

Result<void> read_old_capabilities(std::string_view words, FetchOffer& offer) {
  Result<void> fine;
  each_word(words, [&](std::string_view word) {
    offer.filter |= word == "filter";
    offer.shallow |= word == "shallow";
    constexpr std::string_view kFormat = "object-format=";
    if (!word.starts_with(kFormat)) return;
    const auto format = format_named(word.substr(kFormat.size()));
    if (!format) fine = failed(format);
    if (format) offer.format = *format;
  });
  return fine;
}

// "<key>[=<value>]" of version 2.
Result<void> read_capability(std::string_view line, FetchOffer& offer) {
  const auto key = line.substr(0, line.find('='));
  const auto value = line.substr(std::min(key.size() + 1, line.size()));
  if (key == "fetch") {
    each_word(value, [&](std::string_view word) {
      offer.filter |= word == "filter";
      offer.shallow |= word == "shallow";
    });
  }
  if (key != "object-format") return {};
  const auto format = format_named(value);
  if (!format) return failed(format);
  offer.format = *format;
  return {};
}

void append_command(std::string& out, std::string_view command, const FetchOffer& offer) {
  append_pkt(out, fmt::format("command={}\n", command));
  append_pkt(out, fmt::format("object-format={}", to_string(offer.format)));
  out += "0001";
}

std::string_view filter_words(FetchWanted::Leave leave) {
  return leave == FetchWanted::Leave::blobs ? "blob:none" : "tree:0";
}

}  // namespace

Result<FetchAnswer> parse_fetch_offer(std::string_view body) {
  FetchAnswer answer;
  auto& offer = answer.offer;
  bool first = true;  // no line that says anything has come
  size_t flushes = 0;
  bool service = false;
  auto read = each_line(body, [&](Pkt::Kind kind, std::string_view line) -> Result<void> {
    if (kind == Pkt::Kind::flush) {
      ++flushes;
      return {};
    }
    if (kind != Pkt::Kind::data) return fail("a mark that has no place in it");
    if (first && flushes == 0 && !service && line == kService) {
      service = true;
      return {};
    }
    if (std::exchange(first, false)) {
      if (line == "version 2") {
        offer.version = 2;
        return {};
      }
      if (line == "version 1") {
        first = true;  // version 0 with a line more
        return {};
      }
      const size_t zero = line.find('\0');
      if (zero == std::string_view::npos) return fail("a first ref without capabilities");
      if (auto ok = read_old_capabilities(line.substr(zero + 1), offer); !ok) return ok;
      line = line.substr(0, zero);
    }
    if (offer.version == 2) return read_capability(line, offer);
    return read_old_ref(line, offer.format, answer.refs);
  });
  if (!read) return failed(read);
  if (first) return fail("it offers nothing");
  if (flushes != (service ? 2 : 1)) return fail("it is cut short");
  return answer;
}

std::string refs_request(const FetchOffer& offer) {
  std::string out;
  append_command(out, "ls-refs", offer);
  for (const auto* line : {"peel\n", "ref-prefix HEAD\n", "ref-prefix refs/heads/\n", "ref-prefix refs/tags/\n"}) {
    append_pkt(out, line);
  }
  append_flush(out);
  return out;
}

Result<RemoteRefs> parse_refs(std::string_view body, ObjectFormat format) {
  RemoteRefs refs;
  bool over = false;
  const size_t length = hex_length(format);
  auto read = each_line(body, [&](Pkt::Kind kind, std::string_view line) -> Result<void> {
    if (over || (kind != Pkt::Kind::data && kind != Pkt::Kind::flush)) return fail("no end where it must be");
    over = kind == Pkt::Kind::flush;
    if (over) return {};
    if (line.size() < length + 2 || line[length] != ' ' || !is_object_id(line.substr(0, length), format)) {
      return fail("a line that names no ref: '{}'", log::printable(line, 100));
    }
    const auto rest = line.substr(length + 1);
    const auto ref = rest.substr(0, rest.find(' '));
    const auto id = line.substr(0, length);
    auto leads_to = id;
    bool sound = true;
    each_word(rest.substr(ref.size()), [&](std::string_view word) {
      constexpr std::string_view kLeadsTo = "peeled:";
      if (!word.starts_with(kLeadsTo)) return;
      leads_to = word.substr(kLeadsTo.size());
      sound = sound && is_object_id(leads_to, format);
    });
    if (!sound) return fail("a tag that leads to no object: '{}'", log::printable(line, 100));
    note_tip(refs, ref, id, leads_to);
    return {};
  });
  if (!read) return failed(read);
  if (!over) return fail("it is cut short");
  return refs;
}

std::string fetch_request(const FetchOffer& offer, const FetchWanted& wanted) {
  assert(!wanted.wants.empty() && wanted.wants.size() <= kMaxFetchIds && wanted.haves.size() <= kMaxFetchIds);
  const bool filters = offer.filter && wanted.leave != FetchWanted::Leave::nothing;
  const std::string filter = filters ? fmt::format("filter {}\n", filter_words(wanted.leave)) : "";
  std::string out;
  const bool old = offer.version != 2;
  if (!old) append_command(out, "fetch", offer);
  if (!old) append_pkt(out, "ofs-delta\n");
  bool first = old;
  for (const auto& id : wanted.wants) {
    const std::string words =
        fmt::format(" side-band-64k ofs-delta no-progress object-format={}{}{}", to_string(offer.format),
                    offer.shallow ? " shallow" : "", filters ? " filter" : "");
    append_pkt(out, fmt::format("want {}{}\n", id, std::exchange(first, false) ? words : ""));
  }
  if (wanted.shallow && offer.shallow) append_pkt(out, "deepen 1\n");
  if (filters) append_pkt(out, filter);
  if (old) append_flush(out);
  for (const auto& id : wanted.haves) append_pkt(out, fmt::format("have {}\n", id));
  if (!old) append_pkt(out, "no-progress\n");
  append_pkt(out, "done\n");
  if (!old) append_flush(out);
  return out;
}

Result<std::string> FetchReader::feed(std::string_view bytes) {
  std::string pack;
  lines_.feed(bytes);
  for (;;) {
    const auto pkt = lines_.next();
    if (!pkt) return failed(pkt);
    if (!*pkt) return pack;
    if (auto ok = take(**pkt, pack); !ok) return failed(ok);
  }
}

Result<void> FetchReader::take(const Pkt& pkt, std::string& pack) {
  const auto line = without_line_feed(pkt.payload);
  switch (stage_) {
    case Stage::before:
      if (auto ok = check_error(line); !ok) return ok;
      if (version_ == 2) {
        if (pkt.kind == Pkt::Kind::flush) return fail("the remote sends no pack");
        if (pkt.kind == Pkt::Kind::data && line == "packfile") stage_ = Stage::pack;
      } else if (line == "NAK" || line.starts_with("ACK ")) {
        stage_ = Stage::pack;
      }
      return {};
    case Stage::pack:
      if (pkt.kind == Pkt::Kind::flush) {
        stage_ = Stage::over;
        return {};
      }
      if (pkt.kind != Pkt::Kind::data || pkt.payload.empty()) return fail("a mark within a pack");
      if (pkt.payload.front() == kPackBand) pack += pkt.payload.substr(1);
      if (pkt.payload.front() == kErrorBand) return fail("the remote says: {}", log::printable(line.substr(1), 200));
      return {};
    case Stage::over:
      return fail("more after the end of the pack");
  }
  return {};
}

}  // namespace gatehouse::git
