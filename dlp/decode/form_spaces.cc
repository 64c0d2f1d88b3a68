#include "dlp/decode/form_spaces.h"

#include <algorithm>

#include "dlp/decode/header_field.h"

namespace gatehouse::dlp {

void FormSpaces::declare(const Piece& piece) {
  form_ = field_type(piece.content_type) == "application/x-www-form-urlencoded";
}

void FormSpaces::write(std::string_view bytes) {
  if (form_ && output_ == nullptr) {
    const size_t plus = std::min(bytes.find('+'), bytes.size());
    before_ += bytes.substr(0, plus);
    if (before_.size() > kMaxBefore) before_.erase(0, before_.size() - kMaxBefore);
    position_ += plus;
    bytes.remove_prefix(plus);
    if (!bytes.empty()) open();
  }
  if (output_ != nullptr) put(bytes);
  position_ += bytes.size();
}

void FormSpaces::open() {
  output_ = host_.output("urlencoded");
  if (output_ == nullptr) return close();
  const uint64_t origin = position_ - before_.size();
  output_->begin({origin, {}, {}, {}});
  if (before_.empty()) return;
  output_->from(origin, true);
  if (!output_->write(before_)) close();
}

void FormSpaces::put(std::string_view bytes) {
  uint64_t at = position_;
  while (!bytes.empty()) {
    const bool made = bytes[0] == '+';
    const size_t size = made ? 1 : std::min(bytes.find('+'), bytes.size());
    output_->from(at, !made);
    if (!output_->write(made ? " " : bytes.substr(0, size))) return close();
    at += size;
    bytes.remove_prefix(size);
  }
}

void FormSpaces::close() {
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
  form_ = false;
  before_.clear();
}

void FormSpaces::boundary() { close(); }

void FormSpaces::end() {
  close();
  position_ = 0;
}

}  // namespace gatehouse::dlp
