// Tar archives: v7, ustar, GNU and pax (POSIX.1-2017 pax, "ustar Interchange Format").
#pragma once

#include <memory>
#include <string>

#include "dlp/decode/coded_stream.h"
#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

inline constexpr size_t kTarBlockBytes = 512;

// Whether these kTarBlockBytes are a header: their checksum is right.
bool is_tar_header(const char* block);

// Each entry's full name (and a link's target) as a piece labelled "entry-name", its content as a piece labelled
// "entry:NAME", an extended header's text as a piece labelled "entry-header". Ends with two blocks of zeros or a block
// that is no header; the latter is a fault if a tar archive was declared.
class TarArchive : public Follower {
 public:
  TarArchive(DecoderHost& host, std::string kind, uint64_t origin, Trust trust);

  bool feed(std::string_view bytes) override;  // from the first header on
  void finish() override;
  Span span() const override;

 private:
  enum class Stage { header, content, padding };

  bool read_header();
  bool write_name(std::string_view name);
  void end_of_content();
  void begin_header();
  bool fault(std::string_view reason);  // always false

  DecoderHost& host_;
  std::string kind_;
  uint64_t origin_;
  uint64_t offset_ = 0;  // in the archive
  Trust trust_;
  Stage stage_ = Stage::header;
  uint64_t left_ = kTarBlockBytes;  // of the stage
  uint64_t padding_ = 0;            // after the content
  std::string block_;               // what has come of the header
  bool zeros_ = false;              // the last block was empty
  char extends_ = 0;                // type of the extended header whose content comes: 'L', 'K', 'x'; 0: none
  std::string extension_;           // that content
  std::string long_name_;           // for the next entry, of extended headers
  uint64_t long_size_ = 0;
  bool has_long_size_ = false;
  std::unique_ptr<PieceWriter> writer_;
};

}  // namespace gatehouse::dlp
