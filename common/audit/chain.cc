#include "common/audit/chain.h"

#include <openssl/sha.h>

namespace gatehouse::audit {

namespace {

void put_integer(std::string& out, int64_t number) {
  auto bits = static_cast<uint64_t>(number);
  for (int i = 0; i < 8; ++i, bits >>= 8) out += static_cast<char>(bits & 0xff);
}

void put_text(std::string& out, std::string_view text) {
  out += 't';
  put_integer(out, static_cast<int64_t>(text.size()));
  out += text;
}

void put_field(std::string& out, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    out += 'i';
    put_integer(out, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    put_text(out, *text);
  } else {
    out += 'n';
  }
}

void put_row(std::string& out, const Row& row) {
  put_text(out, row.table->name);
  for (const auto& value : row.values) put_field(out, value);
}

std::string sha256(std::string_view bytes) {
  std::string hash(kHashBytes, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

}  // namespace

std::string canonical_row(const Row& row) {
  std::string out;
  put_row(out, row);
  return out;
}

std::string genesis_hash(const SessionRow& session, std::string_view writer) {
  std::string out;
  put_text(out, "sessions");
  put_text(out, session.session);
  put_field(out, session.created_us);
  put_text(out, session.version);
  put_text(out, writer);
  return sha256(out);
}

std::string next_hash(std::string_view previous, const Row& row) {
  std::string out;
  out.reserve(1024);
  out += previous;
  put_row(out, row);
  return sha256(out);
}

}  // namespace gatehouse::audit
