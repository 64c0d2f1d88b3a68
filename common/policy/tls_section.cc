#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

Result<std::vector<uint16_t>> read_ports_of(const FieldReader& reader, const JsonNode& node,
                                            std::vector<HostTerm>& hosts) {
  const JsonNode* ports_node = node.find("ports");
  if (ports_node == nullptr) return std::vector<uint16_t>();
  auto ports = read_ports(reader, *ports_node);
  if (ports && ports->empty()) hosts.clear();  // an empty list means none
  return ports;
}

Result<ClientCertificate> read_client_certificate(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "client_certificates"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kClientCertificateKeys); !ok) return failed(ok);
  ClientCertificate entry;
  entry.place = reader.place_of(node);
  auto hosts = reader.hosts_of(node, "hosts");
  if (!hosts) return failed(hosts);
  entry.hosts = std::move(*hosts);
  auto ports = read_ports_of(reader, node, entry.hosts);
  if (!ports) return failed(ports);
  entry.ports = std::move(*ports);
  auto certificate = reader.required_text(node, "certificate");
  if (!certificate) return failed(certificate);
  entry.certificate = entry.key = std::move(*certificate);
  if (const JsonNode* key_node = node.find("key")) {
    auto key = reader.text_of(*key_node, "key");
    if (!key) return failed(key);
    entry.key = std::move(*key);
  }
  return entry;
}

}  // namespace

Result<TlsRules> read_tls(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "tls", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, kTlsKeys); !ok) return failed(ok);
  TlsRules rules;
  if (const JsonNode* list = section.find("client_certificates")) {
    auto read = reader.list_of_items<ClientCertificate>(
        *list, "client_certificates", "a list of objects",
        [&](const JsonNode& node) { return read_client_certificate(reader, node); });
    if (!read) return failed(read);
    rules.client_certificates = std::move(*read);
  }
  return rules;
}

}  // namespace gatehouse::policy
