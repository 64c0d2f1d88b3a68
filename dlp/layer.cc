#include "dlp/layer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>

#include "dlp/decode/decoders.h"
#include "dlp/decode/listed_strings.h"
#include "dlp/decode/magic_search.h"

namespace gatehouse::dlp {
namespace {

// Readers cost a call each, whatever it holds.
constexpr size_t kStagedBytes = 16 * 1024;
// The marks of what is read have to be there still.
constexpr size_t kStagedMarks = kMaxMarks / 2;
// What is read is decoded next, while it is in the processor's first cache.
constexpr size_t kDeliveredBytes = 32 * 1024;
// A run of decoded bytes gets some more of them at each delivery below, or is over.
constexpr uint64_t kIdleBytes = 4 * kDeliveredBytes;
constexpr size_t kMaxLocationBytes = 512;
// Less text in a row holds no secret; a letter that follows itself does not count.
constexpr size_t kMinSecretText = 12;
constexpr size_t kMaxIdleLayers = 256;

// The decoders that copy most of what they read, in the order in which they are tried on a text that is disguised in
// several of these ways at once: one order is enough, and all of them would be hundreds of layers. A soft line break of
// quoted-printable may stand within any other escape, and be taken for its end.
constexpr std::array<std::string_view, 8> kCopying{"urlencoded",       "qp",       "json", "percent", "html", "unicode",
                                                   "separated#joined", "separated"};

// Of a kind that is not one of them, before all.
ptrdiff_t order(std::string_view kind) {
  const auto* const at = std::find(kCopying.begin(), kCopying.end(), kind);
  return at == kCopying.end() ? -1 : at - kCopying.begin();
}

std::string_view shown(std::string_view kind) { return kind.substr(0, kind.find('#')); }

// While something is done, it is so marked.
class During {
 public:
  explicit During(bool& flag) : flag_(flag), was_(flag) { flag_ = true; }
  ~During() { flag_ = was_; }
  During(const During&) = delete;
  During& operator=(const During&) = delete;

 private:
  bool& flag_;
  const bool was_;
};

std::string joined(std::string_view front, std::string_view separator, std::string_view back) {
  std::string text(front);
  if (!front.empty() && !back.empty()) text += separator;
  return text += back;
}

}  // namespace

Layer::Layer() : decoders_(make_decoders(*this)) {
  on_match_ = [this](const Match& match) {
    const Place found = place(match.begin, match.end);
    const std::string_view path = found.copied ? std::string_view() : path_;
    const auto first = found.copied ? std::nullopt : place_of_joined(match.begin);
    context_->observer.found({match, path, location(), found.offset, first});
  };
}

Layer::~Layer() = default;

void Layer::attach(LayerContext& context, Layer* parent, std::string_view kind) {
  assert(context_ == nullptr && fresh_);
  context_ = &context;
  parent_ = parent;
  depth_ = parent == nullptr ? 0 : parent->depth_ + 1;
  kind_ = kind;
  order_ = order(kind);
  too_deep_ = depth_ > context.budget.max_depth();
  text_bytes_ = 0;
  path_ = parent == nullptr ? std::string() : joined(parent->path_, ">", shown(kind));
  readers_ = context.readers.open(context.stream);
}

void Layer::detach() {
  for (auto& child : children_) {
    if (child->layer() != nullptr) context_->pool.give_back(child->take());
  }
  children_.clear();
  // What an abandoned stream left half done goes with its objects.
  if (!fresh_) decoders_ = make_decoders(*this);
  readers_.clear();
  staged_.clear();
  staged_marks_ = 0;
  copying_.reset();
  marks_.clear();
  position_ = delivered_ = 0;
  fresh_ = true;
  parent_ = nullptr;
  context_ = nullptr;
}

void Layer::begin(const Piece& piece) {
  flush();
  const bool labelled = !piece.label.empty() || !label_.empty();
  if (!fresh_) boundary(labelled);
  fresh_ = false;
  label_ = piece.label;
  head_.clear();
  from(piece.origin, false);
  if (piece.content_type.empty() && piece.content_encoding.empty()) return;
  for (auto& decoder : decoders_) decoder->declare(piece);
}

void Layer::from(uint64_t origin, bool copied) {
  if (parent_ == nullptr) return;
  copying_.reset();
  if (copied) {
    copying_ = origin;
  } else {
    mark_made(position_, origin);
  }
}

bool Layer::write(std::string_view bytes) {
  if (!admit(bytes.size())) return false;
  if (copying_) {
    mark_copied(position_, *copying_, bytes.size());
    *copying_ += bytes.size();
  }
  return take(bytes);
}

// What was made and the copy behind it are one run.
bool Layer::write_stretches(std::string_view bytes, std::span<const DecoderOutput::Stretch> stretches) {
  using From = DecoderOutput::Stretch::From;
  if (!admit(bytes.size())) return false;
  copying_.reset();
  uint64_t position = position_;
  std::optional<Made> made;
  for (const auto& stretch : stretches) {
    if (stretch.from == From::escaped) {
      if (made) mark_made(made->position, made->origin);
      made.reset();
      mark_escaped(position, stretch);
      position += stretch.size;
      continue;
    }
    if (stretch.from != From::before && made) {
      if (stretch.from == From::copied && mark_both(*made, position, stretch.origin)) {
        made.reset();
        position += stretch.size;
        continue;
      }
      mark_made(made->position, made->origin);
      made.reset();
    }
    if (stretch.from == From::copied) {
      mark_copied(position, stretch.origin, stretch.size);
    } else if (stretch.from == From::made) {
      made = {position, stretch.origin};
    }
    position += stretch.size;
  }
  if (made) mark_made(made->position, made->origin);
  return take(bytes);
}

bool Layer::admit(size_t bytes) {
  if (context_->budget.spent()) return false;
  return parent_ == nullptr ? context_->budget.read(bytes) : context_->budget.decoded(bytes);
}

bool Layer::take(std::string_view bytes) {
  position_ += bytes.size();
  if (staged_.size() + bytes.size() <= kStagedBytes && staged_marks_ < kStagedMarks) {
    staged_ += bytes;
  } else {
    flush();
    deliver(bytes);
  }
  return !context_->budget.spent();
}

void Layer::separate(uint64_t origin) {
  if (position_ != 0) {
    if (staged_.size() + kRunSeparator.size() > kStagedBytes) flush();
    staged_ += kRunSeparator;
    position_ += kRunSeparator.size();
  }
  from(origin, false);
}

void Layer::flush() {
  staged_marks_ = 0;
  if (staged_.empty()) return;
  deliver(staged_);
  staged_.clear();
}

void Layer::deliver(std::string_view bytes) {
  const During at_work(busy_);
  while (!bytes.empty() && !context_->budget.spent()) {
    const std::string_view now = bytes.substr(0, kDeliveredBytes);
    bytes.remove_prefix(now.size());
    for (auto& reader : readers_) reader->write(now, on_match_);
    if (too_deep_) {
      look_too_deep(now);
      continue;
    }
    for (auto& decoder : decoders_) decoder->write(now);
    delivered_ += now.size();
  }
}

void Layer::look_too_deep(std::string_view bytes) {
  if (head_.size() < kMagicBytes) {
    head_ += bytes.substr(0, kMagicBytes - head_.size());
    // Two bytes make a header of zlib: too few.
    if (const Magic magic = magic_of(head_); magic != Magic::none && magic != Magic::zlib) context_->budget.too_deep();
  }
  for (const char c : bytes) {
    // One letter repeated encodes itself for ever (hex of threes), and so do backslashes: it is no secret's text.
    if (c <= ' ' || c >= '\x7f') {
      text_bytes_ = 0;
    } else if (text_bytes_ == 0 || c != last_text_) {
      text_bytes_ += 1;
    }
    last_text_ = c;
    if (text_bytes_ == kMinSecretText) context_->budget.too_deep();
  }
}

void Layer::boundary(bool of_all_above) {
  const During at_work(busy_);
  for (auto& decoder : decoders_) decoder->boundary();
  for (auto& child : children_) {
    Layer* const above = child->layer();
    if (!of_all_above || above == nullptr || above->fresh_) continue;
    above->flush();
    above->boundary(true);
  }
  for (auto& reader : readers_) reader->boundary(on_match_);
}

void Layer::check() {
  const During at_work(busy_);
  flush();
  for (auto& decoder : decoders_) decoder->check();
  for (auto& reader : readers_) reader->check(on_match_);
  for (auto& child : children_) {
    if (child->layer() != nullptr) child->layer()->check();
  }
}

void Layer::finish() {
  if (fresh_) return;
  const During at_work(busy_);
  flush();
  for (auto& decoder : decoders_) decoder->end();
  for (auto& child : children_) {
    if (child->layer() != nullptr) child->layer()->finish();
  }
  for (auto& reader : readers_) reader->end(on_match_);
  staged_.clear();
  copying_.reset();
  marks_.clear();
  position_ = delivered_ = 0;
  fresh_ = true;
}

DecoderOutput* Layer::output(std::string_view kind) {
  for (auto& child : children_) {
    if (child->kind() == kind) return child->make() ? child.get() : nullptr;
  }
  children_.push_back(std::make_unique<Child>(*this, kind));
  return children_.back()->make() ? children_.back().get() : nullptr;
}

void Layer::drop_idle() {
  for (auto& child : children_) {
    if (child->layer() == nullptr) continue;
    if (!child->idle()) {
      child->layer()->drop_idle();
      continue;
    }
    std::unique_ptr<Layer> layer = child->take();
    // Its end may bring forth layers above it, for which there is room now.
    const size_t before = layer->count();
    context_->layers -= before;
    layer->finish();
    context_->layers -= layer->count() - before;
    context_->pool.give_back(std::move(layer));
  }
}

size_t Layer::count() const {
  size_t layers = 1;
  for (const auto& child : children_) {
    if (child->layer() != nullptr) layers += child->layer()->count();
  }
  return layers;
}

bool Layer::Child::make() {
  if (layer_ != nullptr) return !below_.context_->budget.spent();
  LayerContext& context = *below_.context_;
  if (context.budget.spent()) return false;
  if (context.layers >= kMaxLayers) context.root->drop_idle();
  if (!context.budget.more_layers(context.layers + 1)) return false;
  context.layers += 1;
  layer_ = context.pool.take(context, &below_, kind_);
  used_ = below_.delivered_;
  return true;
}

bool Layer::Child::idle() const { return !layer_->busy_ && (layer_->fresh_ || below_.delivered_ > used_ + kIdleBytes); }

std::unique_ptr<Layer> Layer::Child::take() { return std::move(layer_); }

void Layer::Child::begin(const Piece& piece) {
  if (!make()) return;
  used_ = below_.delivered_;
  origin_ = piece.origin;
  label_ = piece.label;
  layer_->begin(piece);
}

bool Layer::Child::write(std::string_view bytes) {
  if (layer_ == nullptr) begin({origin_, label_, {}, {}});
  if (layer_ == nullptr) return false;
  used_ = below_.delivered_;
  return layer_->write(bytes);
}

// Decoders keep a piece open for one run after another, and between them the layer may have been given up.
void Layer::Child::separate(uint64_t origin) {
  if (layer_ == nullptr) return begin({origin, label_, {}, {}});
  origin_ = origin;
  used_ = below_.delivered_;
  layer_->separate(origin);
}

void Layer::Child::from(uint64_t origin, bool copied) {
  if (layer_ != nullptr) layer_->from(origin, copied);
}

bool Layer::Child::write_stretches(std::string_view bytes, std::span<const Stretch> stretches) {
  if (layer_ == nullptr) begin({origin_, label_, {}, {}});
  if (layer_ == nullptr) return false;
  used_ = below_.delivered_;
  return layer_->write_stretches(bytes, stretches);
}

void Layer::fault(std::string_view kind, std::string_view reason) {
  context_->observer.fault(joined(path_, ">", shown(kind)), location(), reason);
}

bool Layer::redundant(std::string_view kind, uint64_t begin, uint64_t end) const {
  return ever_redundant(kind) && marks_.copied(begin, end);
}

bool Layer::ever_redundant(std::string_view kind) const { return order_ >= 0 && order(kind) <= order_; }

std::string Layer::location() const {
  if (parent_ == nullptr) return label_;
  const std::string below = parent_->location();
  return below.size() < kMaxLocationBytes ? joined(below, "/", label_) : below;
}

void Layer::mark_made(uint64_t position, uint64_t origin) {
  staged_marks_ += 1;
  marks_.add({.position = position, .origin = origin, .offset = parent_->place(origin, origin).offset});
}

// One mark for each of the layer below.
void Layer::mark_copied(uint64_t position, uint64_t origin, uint64_t size) {
  staged_marks_ += 1;
  if (parent_->parent_ == nullptr) {
    return marks_.add({.position = position, .origin = origin, .offset = origin, .copied = true, .plain = true});
  }
  const uint64_t end = origin + size;
  while (true) {
    const Marks::Copy below = parent_->marks_.copy_of(origin);
    marks_.add({.position = position,
                .origin = origin,
                .offset = below.offset,
                .copied = true,
                .plain = below.plain,
                .escapes = below.escapes,
                .deeper = true});
    if (below.end >= end) return;
    staged_marks_ += 1;
    position += below.end - origin;
    origin = below.end;
  }
}

// What was made, and behind it what stands in the part as it is from `origin` on; false if one mark does not do.
bool Layer::mark_both(const Made& made, uint64_t position, uint64_t origin) {
  constexpr uint64_t kMost = std::numeric_limits<uint16_t>::max();
  const uint64_t bytes = position - made.position;
  if (parent_->parent_ != nullptr || origin < made.origin || origin - made.origin > kMost || bytes > kMost)
    return false;
  staged_marks_ += 1;
  marks_.add({.position = made.position,
              .origin = made.origin,
              .offset = made.origin,
              .copied = true,
              .plain = true,
              .made = static_cast<uint16_t>(bytes),
              .used = static_cast<uint16_t>(origin - made.origin)});
  return true;
}

// One mark for all of it where the part is below.
void Layer::mark_escaped(uint64_t position, const DecoderOutput::Stretch& stretch) {
  if (parent_->parent_ == nullptr) {
    staged_marks_ += 1;
    return marks_.add({.position = position,
                       .origin = stretch.origin,
                       .offset = stretch.origin,
                       .copied = true,
                       .plain = true,
                       .escapes = stretch.escapes});
  }
  stretch.for_escaped(
      [&](uint64_t origin) {
        mark_made(position, origin);
        position += 1;
      },
      [&](uint64_t origin, uint64_t size) {
        mark_copied(position, origin, size);
        position += size;
      });
}

Layer::Place Layer::place(uint64_t begin, uint64_t end) const {
  if (parent_ == nullptr) return {begin, true};
  const Marks::Run run = marks_.at(begin);
  if (!run.plain || !marks_.plain(begin, end)) return {run.offset, false};
  return {run.offset + (begin - run.position), true};
}

std::optional<uint64_t> Layer::place_of_joined(uint64_t begin) const {
  if (kind_ != kListedStrings) return {};
  const Marks::Run run = marks_.at(begin);
  if (!run.plain) return {};
  return run.offset + (begin - run.position);
}

LayerPool::LayerPool() = default;
LayerPool::~LayerPool() = default;

std::unique_ptr<Layer> LayerPool::take(LayerContext& context, Layer* parent, std::string_view kind) {
  std::unique_ptr<Layer> layer;
  if (idle_.empty()) {
    layer = std::make_unique<Layer>();
  } else {
    layer = std::move(idle_.back());
    idle_.pop_back();
  }
  layer->attach(context, parent, kind);
  return layer;
}

void LayerPool::give_back(std::unique_ptr<Layer> layer) {
  layer->detach();
  if (idle_.size() < kMaxIdleLayers) idle_.push_back(std::move(layer));
}

}  // namespace gatehouse::dlp
