// Keeping a failure of upkeep from failing the VACUUM that it is part of.
#pragma once

#include "src/pg.hpp"

namespace nphd {

/// Runs f(arg). If it fails for want of resources (disk, memory, limits) or an I/O error, the error becomes a WARNING
/// and everything that f held is released; any other error, a cancel among them, passes. VACUUM must come to its end
/// on a full disk, or the table's rows would never be frozen. Returns whether f succeeded.
bool contain_failure(Relation index, void (*f)(void* arg), void* arg);

}  // namespace nphd
