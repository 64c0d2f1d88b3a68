#include "common/dlp/protocol.h"

#include <cassert>
#include <limits>
#include <nlohmann/json.hpp>

namespace gatehouse::dlp {

namespace {

constexpr size_t kMaxHelloBytes = 256;
constexpr int kMaxHelloDepth = 1;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class Number>
  void number(Number value) {
    for (size_t i = 0; i < sizeof value; ++i) out_ += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
  }
  void text(std::string_view bytes) {
    number(static_cast<uint16_t>(bytes.size()));
    out_ += bytes;
  }
  void shown(std::string_view bytes) { text(bytes.substr(0, kMaxShownBytes)); }

 private:
  std::string& out_;
};

// Takes a payload apart. After the first thing that is not there everything reads as empty, and finish() says so.
class Reader {
 public:
  explicit Reader(std::string_view payload) : rest_(payload) {}

  template <class Number>
  Number number() {
    const std::string_view bytes = take(sizeof(Number));
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return static_cast<Number>(value);
  }

  template <class Enum>
  Enum choice(Enum last) {
    const auto value = number<uint8_t>();
    if (value > static_cast<uint8_t>(last)) refuse(fmt::format("unknown value {}", value));
    return static_cast<Enum>(value);
  }

  std::string text(size_t limit) {
    const size_t size = number<uint16_t>();
    if (size > limit) refuse(fmt::format("string of {} bytes is over the limit of {}", size, limit));
    return std::string(take(size));
  }
  std::string shown() { return text(kMaxShownBytes); }

  void refuse(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    rest_ = {};
  }
  bool broken() const { return !why_.empty(); }

  Result<void> finish() const {
    if (broken()) return fail("{}", why_);
    if (!rest_.empty()) return fail("{} bytes too many", rest_.size());
    return {};
  }

 private:
  std::string_view take(size_t size) {
    if (rest_.size() < size) {
      refuse("cut short");
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  std::string why_;
};

// Leaves room for a frame's header, and fills it in when the payload stands behind it.
class FrameInPlace {
 public:
  FrameInPlace(std::string& out, FrameType type) : out_(out), at_(out.size()) {
    ipc::append_frame(out, static_cast<uint8_t>(type), {});
  }
  ~FrameInPlace() {
    const auto length = static_cast<uint32_t>(out_.size() - at_ - 4);
    assert(length - 1 <= kMaxFrameBytes);
    for (size_t i = 0; i < 4; ++i) out_[at_ + i] = static_cast<char>(length >> (8 * i) & 0xff);
  }
  FrameInPlace(const FrameInPlace&) = delete;
  FrameInPlace& operator=(const FrameInPlace&) = delete;

 private:
  std::string& out_;
  size_t at_;
};

Result<void> check_size(std::string_view what, std::string_view bytes) {
  if (bytes.size() <= kMaxInfoBytes) return {};
  return fail("{} of {} bytes is over the scanner's limit of {}", what, bytes.size(), kMaxInfoBytes);
}

void write_finding(Writer& writer, const Finding& finding) {
  writer.shown(finding.rule);
  writer.shown(finding.category);
  writer.shown(finding.title);
  writer.number(static_cast<uint8_t>(finding.severity));
  writer.number(static_cast<uint8_t>(finding.action));
  writer.shown(finding.exemption);
  writer.number(static_cast<uint8_t>(finding.confidence));
  writer.number(finding.part);
  writer.shown(finding.location);
  writer.shown(finding.path);
  writer.number(finding.offset);
  writer.number(finding.length);
  writer.shown(finding.prefix);
  writer.shown(finding.fingerprint);
  writer.shown(finding.detail);
}

Finding read_finding(Reader& reader) {
  Finding finding;
  finding.rule = reader.shown();
  finding.category = reader.shown();
  finding.title = reader.shown();
  finding.severity = reader.choice(FindingAction::deny);
  finding.action = reader.choice(FindingAction::deny);
  finding.exemption = reader.shown();
  finding.confidence = reader.choice(Confidence::high);
  finding.part = reader.number<uint32_t>();
  finding.location = reader.shown();
  finding.path = reader.shown();
  finding.offset = reader.number<uint64_t>();
  finding.length = reader.number<uint64_t>();
  finding.prefix = reader.shown();
  finding.fingerprint = reader.shown();
  finding.detail = reader.shown();
  return finding;
}

// What the parts of a verdict say must be what its outcome says.
Result<void> check_consistent(const ScanVerdict& verdict) {
  FindingAction strictest = FindingAction::exempt;
  for (const Finding& finding : verdict.findings) strictest = std::max(strictest, finding.action);
  switch (verdict.outcome) {
    case ScanVerdict::Outcome::allow:
      if (strictest >= FindingAction::redact) return fail("allows what its findings do not");
      break;
    case ScanVerdict::Outcome::redact:
      if (strictest == FindingAction::deny) return fail("redacts what its findings deny");
      if (verdict.redactions.empty()) return fail("redacts nothing");
      break;
    case ScanVerdict::Outcome::deny:
      break;
  }
  if (verdict.outcome != ScanVerdict::Outcome::redact && !verdict.redactions.empty()) {
    return fail("has redactions and does not redact");
  }
  const Redaction* before = nullptr;
  for (const Redaction& next : verdict.redactions) {
    if (next.length == 0 || next.length > std::numeric_limits<uint64_t>::max() - next.offset) {
      return fail("redaction of {} bytes at {}", next.length, next.offset);
    }
    const bool in_order = before == nullptr || before->part < next.part ||
                          (before->part == next.part && before->offset + before->length <= next.offset);
    if (!in_order) return fail("redactions out of order");
    before = &next;
  }
  return {};
}

}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view payload) {
  ipc::append_frame(out, static_cast<uint8_t>(type), payload);
}

void append_hello(std::string& out) {
  append_frame(out, FrameType::hello, fmt::format(R"({{"version":{}}})", kProtocolVersion));
}

Result<void> append_open(std::string& out, const StreamInfo& stream) {
  if (auto ok = check_size("channel", stream.channel); !ok) return ok;
  if (auto ok = check_size("host", stream.host); !ok) return ok;
  if (auto ok = check_size("trace id", stream.trace_id); !ok) return ok;
  const FrameInPlace frame(out, FrameType::open);
  Writer writer(out);
  writer.text(stream.channel);
  writer.number(static_cast<uint8_t>(stream.direction));
  writer.text(stream.host);
  writer.text(stream.trace_id);
  return {};
}

Result<void> append_part(std::string& out, const PartInfo& part) {
  if (auto ok = check_size("content type", part.content_type); !ok) return ok;
  if (auto ok = check_size("content encoding", part.content_encoding); !ok) return ok;
  const FrameInPlace frame(out, FrameType::part);
  Writer writer(out);
  writer.shown(part.location);
  writer.text(part.content_type);
  writer.text(part.content_encoding);
  return {};
}

void append_data(std::string& out, std::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kMaxFrameBytes))) {
    append_frame(out, FrameType::data, bytes.substr(0, kMaxFrameBytes));
  }
}

void append_verdict(std::string& out, const ScanVerdict& verdict) {
  assert(verdict.findings.size() <= kMaxFindings && verdict.redactions.size() <= kMaxRedactions);
  const FrameInPlace frame(out, FrameType::verdict);
  Writer writer(out);
  writer.number(static_cast<uint8_t>(verdict.outcome));
  writer.number(static_cast<uint16_t>(verdict.findings.size()));
  writer.number(static_cast<uint16_t>(verdict.redactions.size()));
  for (const Finding& finding : verdict.findings) write_finding(writer, finding);
  for (const Redaction& redaction : verdict.redactions) {
    writer.number(redaction.part);
    writer.number(redaction.offset);
    writer.number(redaction.length);
  }
}

Result<void> decode_hello(std::string_view payload) {
  using nlohmann::json;
  if (payload.size() > kMaxHelloBytes) return fail("hello: over {} bytes", kMaxHelloBytes);
  bool too_deep = false;
  const auto watch = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxHelloDepth;
    return !too_deep;
  };
  const json hello = json::parse(payload.begin(), payload.end(), watch, /*allow_exceptions=*/false);
  if (too_deep || hello.is_discarded() || !hello.is_object()) return fail("hello: not a JSON object");
  const auto version = hello.find("version");
  if (version == hello.end() || !version->is_number_integer()) return fail("hello: says no version");
  if (*version != kProtocolVersion) {
    return fail("hello: the other side speaks version {}, this one {}", version->dump(), kProtocolVersion);
  }
  return {};
}

Result<StreamInfo> decode_open(std::string_view payload) {
  Reader reader(payload);
  StreamInfo stream;
  stream.channel = reader.text(kMaxInfoBytes);
  stream.direction = reader.choice(Direction::in);
  stream.host = reader.text(kMaxInfoBytes);
  stream.trace_id = reader.text(kMaxInfoBytes);
  if (auto ok = reader.finish(); !ok) return failed(ok, "open");
  return stream;
}

Result<PartInfo> decode_part(std::string_view payload) {
  Reader reader(payload);
  PartInfo part;
  part.location = reader.shown();
  part.content_type = reader.text(kMaxInfoBytes);
  part.content_encoding = reader.text(kMaxInfoBytes);
  if (auto ok = reader.finish(); !ok) return failed(ok, "part");
  return part;
}

Result<ScanVerdict> decode_verdict(std::string_view payload) {
  Reader reader(payload);
  ScanVerdict verdict;
  verdict.outcome = reader.choice(ScanVerdict::Outcome::deny);
  const size_t findings = reader.number<uint16_t>();
  const size_t redactions = reader.number<uint16_t>();
  if (findings > kMaxFindings) reader.refuse(fmt::format("{} findings", findings));
  if (redactions > kMaxRedactions) reader.refuse(fmt::format("{} redactions", redactions));
  for (size_t i = 0; i < findings && !reader.broken(); ++i) verdict.findings.push_back(read_finding(reader));
  for (size_t i = 0; i < redactions && !reader.broken(); ++i) {
    const auto part = reader.number<uint32_t>();
    const auto offset = reader.number<uint64_t>();
    verdict.redactions.push_back({part, offset, reader.number<uint64_t>()});
  }
  if (auto ok = reader.finish(); !ok) return failed(ok, "verdict");
  if (auto ok = check_consistent(verdict); !ok) return failed(ok, "verdict");
  return verdict;
}

void AnswerReader::expect() {
  assert(!expecting_);
  expecting_ = true;
}

Result<std::optional<ScanVerdict>> AnswerReader::receive(std::string_view bytes) {
  frames_.feed(bytes);
  std::optional<ScanVerdict> verdict;
  for (;;) {
    const auto next = frames_.next_view();
    if (!next) return failed(next);
    if (!*next) break;
    const auto type = static_cast<FrameType>((*next)->type);
    if (!greeted_ && type == FrameType::hello) {
      if (auto ok = decode_hello((*next)->payload); !ok) return failed(ok);
      greeted_ = true;
    } else if (greeted_ && expecting_ && type == FrameType::verdict) {
      auto decoded = decode_verdict((*next)->payload);
      if (!decoded) return failed(decoded);
      verdict = std::move(*decoded);
      expecting_ = false;
    } else {
      return fail("unexpected frame of type {}", (*next)->type);
    }
  }
  if (greeted_ && !expecting_ && !frames_.at_boundary()) return fail("says more than was asked");
  return verdict;
}

}  // namespace gatehouse::dlp
