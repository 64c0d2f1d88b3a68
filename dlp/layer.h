// One layer of bytes: a part as sent, or what the decoders of one kind made of the layer below. Its readers read it,
// its decoders make the layers above it, of which there is one for each kind, made when first needed.
//
// A layer is one long stream that is never held as a whole. Where its bytes came from is known by marks, of which only
// the last ones are kept: a match is reported not far behind its end. What is written is read when there is enough of
// it, or when somebody asks: a layer above may be far behind the one below.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dlp/budget.h"
#include "dlp/decode/decoder.h"
#include "dlp/layer_reader.h"
#include "dlp/marks.h"

namespace gatehouse::dlp {

// Between runs of decoded bytes: no secret has these in it, and rules that end at a line end or at white space do so.
inline constexpr std::string_view kRunSeparator{"\n\0\n", 3};

// A match with its place.
struct Sighting {
  const Match& match;
  std::string_view path;      // "gzip>json"; empty when the secret is in the part's bytes as it is
  std::string_view location;  // "body/form:field"
  uint64_t offset = 0;        // in the part: of the secret, or of the encoded run that holds it
  // In the part, likewise: of its first byte, if the strings of a row were joined and that one stands there as it is.
  std::optional<uint64_t> first = {};
};

// Whom the layers of one stream report to.
class LayerObserver {
 public:
  virtual ~LayerObserver() = default;
  virtual void found(const Sighting& sighting) = 0;
  virtual void fault(std::string_view path, std::string_view location, std::string_view reason) = 0;
};

class Layer;
class LayerPool;

// What the layers of one stream share; outlives them.
struct LayerContext {
  const StreamInfo& stream;
  ReaderSource& readers;
  LayerPool& pool;
  Budget& budget;
  LayerObserver& observer;
  Layer* root = nullptr;
  size_t layers = 0;  // of this stream, at present
};

// The first layer too deep is read, but nothing in it is decoded; as soon as there is text in it, or a piece begins as
// a compressed file does, the budget is spent. (What decoders guess of binary data seldom is either, however deep.)
//
// There are no more than kMaxLayers at once: one that was not written to for a while is given up, and made again when
// it is needed.
//
// Pieces go into a layer as into any decoder's output; a part's own bytes are one piece, its label being the location.
class Layer final : public DecoderHost {
 public:
  Layer();
  ~Layer() override;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  void begin(const Piece& piece);
  bool write(std::string_view bytes);
  void separate(uint64_t origin);
  void from(uint64_t origin, bool copied);
  bool write_stretches(std::string_view bytes, std::span<const DecoderOutput::Stretch> stretches);

  DecoderOutput* output(std::string_view kind) override;
  void fault(std::string_view kind, std::string_view reason) override;
  bool redundant(std::string_view kind, uint64_t begin, uint64_t end) const override;
  bool ever_redundant(std::string_view kind) const override;

  // Reads everything written so far; what readers and decoders still wait for is not awaited.
  void flush();
  // As flush(), and readers tell what they can of it, here and above.
  void check();
  // The part is over: reads what is left of it, here and above. Ready for the next part.
  void finish();

 private:
  friend class LayerPool;

  // Where the decoders of one kind write to: a layer above, which is there as long as it is used.
  class Child final : public DecoderOutput {
   public:
    Child(Layer& below, std::string_view kind) : below_(below), kind_(kind) {}

    void begin(const Piece& piece) override;
    bool write(std::string_view bytes) override;
    void separate(uint64_t origin) override;
    void from(uint64_t origin, bool copied) override;
    bool write_stretches(std::string_view bytes, std::span<const Stretch> stretches) override;
    void end() override {}

    const std::string& kind() const { return kind_; }
    // Null if it is not there.
    Layer* layer() const { return layer_.get(); }
    // Whether what it waits for, if for anything, cannot come any more.
    bool idle() const;
    std::unique_ptr<Layer> take();
    bool make();

   private:
    Layer& below_;
    const std::string kind_;
    std::unique_ptr<Layer> layer_;
    std::string label_;    // of the current piece
    uint64_t origin_ = 0;  // of its current run
    uint64_t used_ = 0;    // bytes delivered below at the last call
  };
  // Where bytes of this layer were in the part.
  struct Place {
    uint64_t offset;
    bool copied;  // they stand there as they are
  };

  struct Made {
    uint64_t position;
    uint64_t origin;
  };

  // A layer belongs to one stream at a time.
  void attach(LayerContext& context, Layer* parent, std::string_view kind);
  void detach();
  bool admit(size_t bytes);
  bool take(std::string_view bytes);
  void deliver(std::string_view bytes);
  void look_too_deep(std::string_view bytes);
  void boundary(bool of_all_above);
  // Gives back the layers above that are idle, and all above these.
  void drop_idle();
  size_t count() const;
  void mark_made(uint64_t position, uint64_t origin);
  void mark_copied(uint64_t position, uint64_t origin, uint64_t size);
  bool mark_both(const Made& made, uint64_t position, uint64_t origin);
  void mark_escaped(uint64_t position, const DecoderOutput::Stretch& stretch);
  Place place(uint64_t begin, uint64_t end) const;
  std::optional<uint64_t> place_of_joined(uint64_t begin) const;
  std::string location() const;

  LayerContext* context_ = nullptr;
  Layer* parent_ = nullptr;
  int depth_ = 0;
  std::string kind_;
  ptrdiff_t order_ = 0;  // of kind_
  std::string path_;
  std::string label_;  // of the current piece
  std::vector<std::unique_ptr<LayerReader>> readers_;
  OnMatch on_match_;
  std::vector<std::unique_ptr<Decoder>> decoders_;  // kept from stream to stream
  std::vector<std::unique_ptr<Child>> children_;
  std::string staged_;  // small writes, until they are worth a reader's while
  size_t staged_marks_ = 0;
  std::optional<uint64_t> copying_;  // where the next byte that is written stands in the layer below, as it is
  uint64_t position_ = 0;            // bytes since finish(), staged ones included
  uint64_t delivered_ = 0;           // of them, before those that are being read
  bool fresh_ = true;                // nothing since finish()
  bool busy_ = false;                // at work, as those below it are
  bool too_deep_ = false;
  // Of a layer too deep: a piece's first bytes; text in a row, and its last character.
  std::string head_;
  size_t text_bytes_ = 0;
  char last_text_ = 0;
  Marks marks_;
};

// Layers not in use, with their decoders, so that ten thousand small streams make them once. Of one thread.
class LayerPool {
 public:
  LayerPool();
  ~LayerPool();

  std::unique_ptr<Layer> take(LayerContext& context, Layer* parent, std::string_view kind);
  void give_back(std::unique_ptr<Layer> layer);

 private:
  std::vector<std::unique_ptr<Layer>> idle_;
};

}  // namespace gatehouse::dlp
