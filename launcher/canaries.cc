#include "launcher/canaries.h"

#include <openssl/rand.h>

namespace gatehouse::launcher {

namespace {

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// `length` random characters of `alphabet`; the slight bias of a remainder is of no matter to a decoy.
Result<std::string> random_text(std::string_view alphabet, size_t length) {
  std::string text(length, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(length)) != 1) {
    return fail("no random bytes for the canaries");
  }
  for (char& c : text) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return text;
}

}  // namespace

Result<Canaries> make_canaries() {
  struct Form {
    const char* name;
    const char* prefix;
    std::string_view alphabet;
    size_t length;
  };
  constexpr Form kForms[] = {{"aws-key-id", "AKIA", kBase32, 16},
                             {"aws-secret-key", "", kBase62, 40},
                             {"github-token", "ghp_", kBase62, 36},
                             {"database-password", "", kBase62, 24}};
  Canaries made;
  for (const auto& form : kForms) {
    auto text = random_text(form.alphabet, form.length);
    if (!text) return failed(text);
    made.values.push_back({form.name, form.prefix + *text});
  }
  made.files = {
      {"/root/.aws/credentials", fmt::format("[backup]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                                             made.values[0].value, made.values[1].value)},
      {"/root/.config/backup/backup.env",
       fmt::format("BACKUP_GITHUB_TOKEN={}\nBACKUP_DATABASE_URL=postgres://backup:{}@db.backup.internal/main\n",
                   made.values[2].value, made.values[3].value)},
  };
  return made;
}

}  // namespace gatehouse::launcher
