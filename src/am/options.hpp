// Options of CREATE INDEX … WITH (…), and what is frozen of them in the index.
#pragma once

#include "src/storage/layout.hpp"

namespace nphd {

void define_index_options();
bytea* nphdoptions(Datum reloptions, bool validate);

/// What a new index freezes: its options and the metric of its operator class.
IndexOptions index_options(Relation index);

/// The index's option ef_search; 0: not set.
int index_ef_search(Relation index);

}  // namespace nphd
