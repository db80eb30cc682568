// Options of CREATE INDEX … WITH (…), and what is frozen of them in the index.
#pragma once

#include "src/storage/layout.hpp"

namespace nphd {

void define_index_options();
bytea* nphdoptions(Datum reloptions, bool validate);

/// What a new index freezes: its options and the metric of its operator class.
IndexOptions index_options(Relation index);

/// The index's default for nphd.ef_search.
int default_ef_search(Relation index);

}  // namespace nphd
