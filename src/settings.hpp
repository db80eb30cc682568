// The settings (GUCs) of the extension.
#pragma once

#include "src/pg.hpp"

namespace nphd {

enum class ShardAccess : int { mapped, buffered };

struct Settings {
    int ef_search;             // 0: the index's option, or what `recall` asks for
    double recall;             // wanted where no ef_search is set; 1: scan instead of walking graphs
    int visit_limit;           // nodes per lane before the slack rule gives way to ef_search
    bool exact;                // scan instead of walking graphs
    ShardAccess shard_access;  // how sealed shards are read
    bool background;           // inserts and VACUUM may start a maintenance worker
    int pending_limit_kb;      // pages of pending rows from which on a fold is due
};
extern Settings settings;

inline constexpr int kMaxEfSearch = 100000;

inline int64 pending_limit_bytes() { return static_cast<int64>(settings.pending_limit_kb) * 1024; }

void define_settings();

}  // namespace nphd
