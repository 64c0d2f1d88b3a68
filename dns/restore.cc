#include "dns/restore.h"

#include "common/audit/reader.h"

namespace gatehouse::dns {

Result<void> restore_pool(const std::string& path, Pool& pool, Time now) {
  const auto reader = audit::AuditReader::open(path);
  if (!reader) return failed(reader);
  const auto answers = (*reader)->pool_answers();
  if (!answers) return failed(answers);
  for (const auto& [name, text] : *answers) {
    const auto address = IpAddress::parse(text);
    if (!address) return failed(address, path);
    if (auto ok = pool.restore(name, *address, now); !ok) return failed(ok, path);
  }
  return {};
}

}  // namespace gatehouse::dns
