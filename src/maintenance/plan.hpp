// Which parts of an index are to be rebuilt together.
#pragma once

#include "src/maintenance/maintain.hpp"

namespace nphd {

/// How many postings of a shard are alive.
struct ShardLoad {
    ShardEntry* entry;
    uint64 live;
};

/// The shards of a draft, fewest living postings first.
struct ShardLoads {
    ShardLoad* shards;
    uint32 n;
};
ShardLoads shard_loads(Relation index, const MetaPage& meta, const ManifestDraft& draft);

/// The shards (List of ShardEntry*) to rebuild together with `pending_rows` rows of frozen segments (which there are
/// if `have_segments`). An empty list without segments: nothing is due.
///
/// Every query searches every shard, so their number must stay small, and each row must not be rewritten often. A
/// rebuild takes along every shard of at most twice the rows that it has already, smallest first. What remains is more
/// than twice as large, so the number of shards grows with the logarithm of the rows, and so does the number of times
/// that a row is rewritten. Shards of whose postings a fifth or more is dead are always taken.
List* shards_to_rebuild(const ShardLoads& loads, Goal goal, uint64 pending_rows, bool have_segments);

}  // namespace nphd
