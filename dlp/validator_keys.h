// Private keys of currencies and tools that carry checksums or have ranges.
#pragma once

#include <string_view>

namespace gatehouse::dlp {

// Base58 whose last four bytes are the double SHA-256 of the rest: WIF, xprv, and everything after their model.
bool is_base58check(std::string_view text);
// Of these, a Bitcoin private key: version 0x80 (main) or 0xef (test), 32 bytes, and 0x01 where the public key is
// compressed.
bool is_bitcoin_wif(std::string_view text);
// 64 hex digits (0x or not) that are a private key of secp256k1: above 0, below the order of the group; a number with
// fewer than 6 different digits is taken for a sample.
bool is_secp256k1_scalar(std::string_view text);
// BIP 173 and BIP 350: prefix, '1', and data with a six-character checksum; one case throughout.
bool is_bech32(std::string_view text);

}  // namespace gatehouse::dlp
