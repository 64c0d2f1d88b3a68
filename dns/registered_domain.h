// Which part of a name somebody has registered: what belongs together when names are counted.
#pragma once

#include <string_view>

namespace gatehouse::dns {

// The end of `name` (any case, any bytes) that its owner registered: one label more than the public suffix, by the list
// of publicsuffix.org as libpsl has it built in, its ICANN part alone: what a host of pages or buckets hands out below
// its own name counts as that host's. The last two labels below arpa; the whole of a single label and of a public
// suffix. Only to group by: no verdict depends on where it ends.
std::string_view registered_domain(std::string_view name);

}  // namespace gatehouse::dns
