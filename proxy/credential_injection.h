// The credentials of one request. Passive.
//
//   take_out()  the placeholders in the places that the policy names are blanked, so that the scanner sees them
//               nowhere: wherever else one stands, it is found as what does not belong there
//   put_in()    the values take the blanks' places, once the request's verdict is committed
//   restorer()  and where a value comes back, the guest gets the placeholder
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"
#include "proxy/credential_forms.h"
#include "proxy/credential_table.h"
#include "proxy/http_message.h"
#include "proxy/response_restorer.h"

namespace gatehouse::proxy {

class CredentialInjection {
 public:
  // Of a request that nothing is bound to.
  CredentialInjection() = default;
  // `table` outlives this.
  CredentialInjection(const CredentialTable& table, const Target& target);

  bool bound() const { return !bound_.empty(); }

  // Once, on the head that goes upstream; then the head may be overwritten, but nothing in it moved. Also asks the host
  // for an answer that can be looked through: whole, and not encoded. Denied ("credential.foreign"): something else in
  // a place that is for a placeholder, such as a key of the guest's own. With it an agent could work for somebody else.
  std::optional<Decision> take_out(RequestHead& head);

  // Once, on the same head.
  void put_in(RequestHead& head);
  // Of what put_in() has written.
  void wipe(RequestHead& head) const;

  // "with the secret GITHUB_TOKEN (bearer)"; empty when none goes along. For the log.
  std::string words() const;

  // For the answer; null when the host knows no secret. After put_in(), and no longer used than this.
  std::unique_ptr<ResponseRestorer> restorer() const;

 private:
  using Place = policy::CredentialPlace;

  // Bytes of the head that stand for a value: of the field's value, or of the path.
  struct Blank {
    const BoundCredential* credential = nullptr;
    const Place* place = nullptr;
    bool in_path = false;
    size_t field = 0;
    size_t begin = 0;
    size_t length = 0;
    std::string before = {}, after = {};  // of Basic: what stands before and behind the secret, decoded
    std::string written = {};             // what stood there
  };

  bool take_bearer(const BoundCredential& credential, const Place& place, std::string_view value, Blank& blank) const;
  bool take_basic(const BoundCredential& credential, const Place& place, std::string_view value, Blank& blank) const;
  // Blanks what it finds in this field; whether there was any.
  bool take_field(Fields& fields, size_t index);
  bool take_parameters(std::string& path, std::string& foreign);
  const BoundCredential* always_in(std::string_view field, std::string_view parameter) const;
  void drop_foreign_parameters(std::string& path) const;
  bool holds_only_placeholder(std::string_view parameter, std::string_view value) const;
  std::string substance(const Blank& blank) const;
  void add(RequestHead& head, const BoundCredential& credential);
  Decision foreign(std::string_view where, const std::string& host) const;

  std::vector<const BoundCredential*> bound_;
  std::vector<Blank> blanks_;
  std::vector<const BoundCredential*> additions_;          // carried although the guest wrote nothing
  std::vector<std::pair<WipedText, std::string>> echoes_;  // of Basic: as it was sent, and as the guest knows it
};

}  // namespace gatehouse::proxy
