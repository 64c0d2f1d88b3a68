// Entries of zip files, read from their local headers (APPNOTE.TXT 4.3.7) as they come: what a central directory says
// of them does not matter, and neither does whether there is one.
#pragma once

#include <memory>
#include <string>

#include "dlp/decode/coded_stream.h"
#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

// One entry: its name as a piece labelled "entry-name", then its content as a piece labelled "entry:NAME". Stored,
// deflate and zstd are undone; anything else, and encryption, is a fault if a zip file was declared and else left
// alone, names and all, as is a stored entry whose size comes after it (what it holds is in the layer in plain).
// Checksums and the uncompressed size are not looked at.
class ZipEntry : public Follower {
 public:
  ZipEntry(DecoderHost& host, std::string kind, uint64_t origin, Trust trust);

  bool feed(std::string_view bytes) override;  // from the local header's magic on
  void finish() override;
  Span span() const override;

 private:
  enum class Stage { header, names, stored, coded };

  bool take_header(std::string_view& bytes);
  bool begin_data();
  bool fault(std::string_view reason);  // always false

  DecoderHost& host_;
  std::string kind_;
  uint64_t origin_;
  Trust trust_;
  Stage stage_ = Stage::header;
  std::string header_;        // what has come of it
  size_t header_bytes_;       // that are to come in this stage
  uint64_t stored_left_ = 0;  // of a stored entry
  std::unique_ptr<Codec> codec_;
  std::unique_ptr<PieceWriter> writer_;
};

}  // namespace gatehouse::dlp
