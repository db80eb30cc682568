// The background worker that looks after one index: started on demand, without preload, by an insert or a VACUUM that
// finds work due.
#pragma once

#include "src/storage/meta.hpp"

namespace nphd {

/// Whether a worker could be started for the index, as far as can be known beforehand.
bool background_available(Relation index);

/// Starts a worker for the index if background maintenance is on and none is at work. Never waits. False: it was not
/// possible or not wanted; whoever comes next will try again.
bool background_start(Relation index);

/// For inserters, after they linked a page to the open segment: starts a worker once enough is pending. Cheap when
/// there is nothing to do.
void background_start_if_due(Relation index, uint32 segment_pages);

/// What pg_stat_activity shows while a worker rebuilds `shards` shards with `rows` pending rows. Does nothing in other
/// processes.
void show_activity(Relation index, uint64 rows, int shards);

}  // namespace nphd
