// Finds and opens what is compressed or packed within a layer: at the start of a piece, after junk, or several at once,
// so that a decoy hides nothing.
#pragma once

#include <memory>
#include <string_view>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

class ContainerSniffer : public Decoder {
 public:
  explicit ContainerSniffer(DecoderHost& host);
  ~ContainerSniffer() override;

  // What the headers of the piece that begins now say of it: Content-Type and Content-Encoding (with
  // Content-Transfer-Encoding, "gzip, base64"); empty: nothing. Called before the piece's first byte, after the
  // boundary() if there was one. Declared content codings, multipart/* and archives are opened as what they are said to
  // be, and it is a fault if they are not.
  void declare(std::string_view content_type, std::string_view content_encoding);

  void write(std::string_view bytes) override;
  void boundary() override;
  void end() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::dlp
