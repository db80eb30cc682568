// What the last index scan of this session did: nphd_last_scan().
#pragma once

#include "src/pg.hpp"

#include "engine/search/lane_account.hpp"

namespace nphd {

struct LastScanLane {
    uint64 shard;   // its generation
    bool codeless;  // the rows without a code
    uint32 code_bytes;
    uint64 rows;  // found
    LaneAccount account;
};

/// Forgets the scan before.
void last_scan_begin(Oid index, uint64 pending_rows);
void last_scan_add(const LastScanLane& lane);

}  // namespace nphd
