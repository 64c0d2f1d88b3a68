// The values that must not leave, whatever they are dressed as: the session's secrets and the decoys planted in its
// guest. Immutable once read and shared by all threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret_bytes.h"
#include "dlp/gram_index.h"
#include "dlp/rule.h"
#include "dlp/secret_forms.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxSecrets = 256;  // known ones and canaries together
inline constexpr size_t kMaxSecretBytes = 8 << 10;
inline constexpr size_t kMaxAllSecretsBytes = 256 << 10;
inline constexpr size_t kMaxSecretNameBytes = 64;
inline constexpr size_t kMinSecretBytes = 6;     // a shorter one would be found everywhere
inline constexpr size_t kPlaceholderBytes = 32;  // of a placeholder are its own: what stands before is in others too
inline constexpr size_t kMinPieceBytes = 8;      // of bytes that count and look random: a fragment
inline constexpr size_t kMinFragmentBytes =
    12;  // of a decoy, whatever they look like; a shorter secret has no fragments
inline constexpr size_t kMaxThresholdBytes = 16;  // of a secret, whatever they look like

struct KnownSecret {
  enum class Kind {
    known,
    canary,
    placeholder,  // what stands in the guest for a known one of the same name
  };

  std::string name;
  Kind kind = Kind::known;
  std::string_view text;  // see ShapedSecret; in locked memory
  Rule whole;             // "known-secret", "canary" or "placeholder"
  Rule fragment;          // "secret-fragment" or "canary"
  // How many bytes of it, seen within a window of the ledger, are as good as all of it: 40 %, but no fewer than
  // kMinFragmentBytes and no more than kMaxThresholdBytes.
  size_t threshold = 0;

  // Bytes that count within these positions.
  size_t counted(Span positions) const { return counted_before[positions.end] - counted_before[positions.begin]; }
  bool counts(size_t position) const { return counted_before[position + 1] != counted_before[position]; }
  size_t counted() const { return counted_before.back(); }
  // Whether seeing these positions is a fragment: what counts of them is long enough for how random it looks. Words of
  // a pass phrase are found in other texts, too.
  bool is_fragment(Span positions) const;

  std::vector<uint32_t> counted_before;  // for each position and the end
};

// One string to look for.
struct KnownForm {
  uint32_t secret = 0;     // index into secrets()
  std::string_view bytes;  // in locked memory
  SecretForm shape;        // without its bytes

  // The positions of the secret's text that these bytes tell.
  Span positions(Span of_bytes) const { return shape.positions(of_bytes, static_cast<uint32_t>(bytes.size())); }
};

class KnownSecrets {
 public:
  // Reads {"secrets": [{"name": "GITHUB_TOKEN", "value": "...", "placeholder": "..."}], "canaries": [{"name",
  // "value"}], "key": "<hex>"}, each member but names and values optional. Of a placeholder the last kPlaceholderBytes
  // tell. `key` is the fingerprints', 16 to 64 bytes; without it one is drawn. A value's final line break is no part of
  // it. Refused, in words that hold no value: other keys, a key given twice, anything over the limits above, a name
  // used twice or with other characters than letters, digits and "._-", a value under kMinSecretBytes or of fewer than
  // three different bytes.
  static Result<KnownSecrets> parse(std::string_view json);

  // parse() of "fd:N", an inherited descriptor that is read to its end and closed, or of a file that nobody but its
  // owner may read.
  static Result<KnownSecrets> load(const std::string& source);

  bool empty() const { return secrets_.empty(); }
  const std::vector<KnownSecret>& secrets() const { return secrets_; }
  const std::vector<KnownForm>& forms() const { return forms_; }
  // Every run of 5 bytes of the forms; what shares kMinPieceBytes with one has a run at every 4th position.
  const GramIndex& grams() const { return grams_; }
  // The same for values shorter than that: runs of 4, at every 3rd position.
  const GramIndex& short_grams() const { return short_grams_; }
  std::string_view fingerprint_key() const { return key_.view(); }

 private:
  KnownSecrets() = default;
  struct Given;
  static Result<std::vector<Given>> read(std::string_view json, std::string& key);
  Result<void> add_all(const std::vector<Given>& given);
  void index(uint32_t form);

  std::vector<KnownSecret> secrets_;
  std::vector<KnownForm> forms_;
  SecretBytes bytes_;  // all texts and forms
  SecretBytes key_;
  GramIndex grams_{5, 4};
  GramIndex short_grams_{4, 3};
};

}  // namespace gatehouse::dlp
