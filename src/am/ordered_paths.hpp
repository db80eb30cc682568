// Conditions that the planner leaves out of an ordered scan, or does not see. PostgreSQL 15 and 16 never combine an
// order with a list (IN, = ANY) on a further column of an index, and 15 knows Boolean columns of its own access methods
// only; both would leave the condition to the executor, which drops row after row until the LIMIT is filled.
#pragma once

namespace nphd {

/// Installs the hook where it is needed; once, when the library is loaded.
void ordered_paths_init();

}  // namespace nphd
