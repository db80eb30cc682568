// What scans of our indexes did, in the output of EXPLAIN (ANALYZE). Needs a hook of PostgreSQL 18.
#pragma once

namespace nphd {

/// Installs the hook where there is one; once, when the library is loaded.
void explain_init();

}  // namespace nphd
