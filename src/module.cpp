// Where PostgreSQL meets the library.
#include "src/pg.hpp"

#include "src/am/explain.hpp"
#include "src/am/options.hpp"
#include "src/am/ordered_paths.hpp"
#include "src/settings.hpp"
#include "src/storage/shard_cache.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

void _PG_init(void) {
    nphd::define_settings();
    nphd::define_index_options();
    nphd::shard_cache_init();
    nphd::explain_init();
    nphd::ordered_paths_init();
}
