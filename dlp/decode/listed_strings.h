// A secret told as short strings one after the other: ["ghp", "_AA", "AAAAA"], {"a": "ghp_", "b": "AAAA"}, lists in
// lists, one assignment a line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

inline constexpr std::string_view kListedStrings = "separated#listed";  // the layer
inline constexpr size_t kMaxListedBytes = 64;                           // of a string, of a key
inline constexpr size_t kMaxLastListedBytes = 320;  // of the last one, of which the beginning is taken
inline constexpr size_t kMaxListGapBytes = 128;     // between two strings, keys and what is no string included
inline constexpr size_t kMinListBytes = 16;         // of all strings in a row: fewer hold no secret
inline constexpr size_t kMaxListedDigitsBytes = 8;  // two numbers side by side make a card's number too easily

// Into the layer kListedStrings: the strings of a row, of the characters that tokens are made of, joined. What
// stands between two is anything short but words alone. A string in front of a colon is a key and left out; one that
// is longer ends the row with its beginning, one with other characters without. Of a row, only what looks random is
// passed on, with what stands in front of it: rows of words are everywhere.
class ListedStringsDecoder final : public TextDecoder {
 public:
  explicit ListedStringsDecoder(DecoderHost& host) : host_(host) {}

  void take(const TextBlock& block) override;
  bool wants(const TextBlock& block) const override;
  void skip(uint64_t bytes) override;
  void boundary() override;
  void check() override;
  void end() override;

 private:
  static constexpr size_t kMaxHeldStrings = 64;
  static constexpr size_t kHistoryBytes = kMaxListGapBytes + kMaxLastListedBytes + 2;

  struct String {
    uint64_t origin = 0;
    size_t size = 0;
    bool digits = false;
    size_t changes = 0;  // see count_changes()
    std::array<char, kMaxListedBytes> bytes;
  };

  void read_string(uint64_t begin, uint64_t end);
  void keep_string(uint64_t begin, uint64_t end);
  std::string_view text(uint64_t begin, uint64_t end);
  void leave();
  void drop_first();
  void add_last();
  void count_changes(String& string);
  bool looks_random(const String& last);
  String& nth(size_t i) { return strings_[(first_held_ + i) % strings_.size()]; }
  size_t first_to_pass_on();
  void open_row(size_t first);
  void put(const String& string);
  void finish_row();

  DecoderHost& host_;
  DecoderOutput* output_ = nullptr;  // while a piece is open
  std::string_view bytes_;
  uint64_t position_ = 0;  // of bytes_
  // At the end of the last bytes: where their last quote was, and whether all behind it is of the class of tokens.
  bool any_quote_ = false;
  uint64_t quote_ = 0;
  char quote_sign_ = 0;
  bool in_token_ = false;
  bool ends_in_quote_ = false;
  size_t head_size_ = 0;
  std::array<char, kMaxListedBytes> head_;  // what came behind it
  // The last string between two quotes: a key, or the row's next one.
  bool any_string_ = false;
  bool added_ = false;
  uint64_t string_end_ = 0;
  bool last_is_long_ = false;
  // The row: its last strings; behind them the last string, cut to kMaxListedBytes, which is added_ to it or not.
  size_t held_ = 0;
  size_t first_held_ = 0;
  std::array<String, kMaxHeldStrings + 1> strings_;
  // Of them, the last ones that have kMinListBytes.
  size_t recent_ = 0;
  size_t recent_bytes_ = 0;
  size_t recent_changes_ = 0;
  size_t digit_bytes_ = 0;  // of the strings of digits that come last
  unsigned kinds_ = 0;      // of its last three characters
  bool copies_ = false;     // some of the input may have been copied
  bool open_ = false;       // it is passed on
  size_t plain_bytes_ = 0;  // since it looked random

  size_t history_size_ = 0;
  std::array<char, kHistoryBytes> history_;   // the input's last bytes before bytes_
  std::array<char, kMaxListGapBytes> joint_;  // what text() puts together
};

}  // namespace gatehouse::dlp
