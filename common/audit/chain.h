// The hash chain, in enough detail to be checked by a program that shares no code with this one.
//
//   canonical(table, values) = text(table) field(value 1) ... field(value n)
//     the values in the order of the table's columns as created (PRAGMA table_info), `hash` left out
//   field(value) = 'n'                                              for NULL
//                | 'i' and the 8 bytes of a signed integer          little-endian two's complement
//                | 't' and the byte length as above (8 bytes), then the bytes, UTF-8
//   text(s)      = field(s) of a text
//
//   genesis(writer)  = SHA-256(canonical("sessions", session, created_us, version) text(writer))
//   hash of row 1    = SHA-256(genesis(writer) canonical(row 1))
//   hash of row n    = SHA-256(hash of row n-1 canonical(row n))
//
// Every field says its type and its length, so no two different rows have the same canonical form. The sessions row is
// part of each chain through its genesis. chain_heads holds (writer, seq, hash, position) of each chain's last row and
// is changed in the transaction that writes the row, so that rows cut off the end are missed too.
//
// What this proves: a row that was changed, dropped, moved or added without rewriting everything after it is found.
// There is no key in it: whoever may write the file can compute a new chain for the whole of it. Keep a copy of the
// heads elsewhere if that matters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/audit/tables.h"

namespace gatehouse::audit {

inline constexpr size_t kHashBytes = 32;

// What every chain of a file begins with.
struct SessionRow {
  std::string session;
  int64_t created_us = 0;
  std::string version;  // of the Gatehouse that created the file
};

std::string canonical_row(const Row& row);

// kHashBytes bytes each.
std::string genesis_hash(const SessionRow& session, std::string_view writer);
std::string next_hash(std::string_view previous, const Row& row);

}  // namespace gatehouse::audit
