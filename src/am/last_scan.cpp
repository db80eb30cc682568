#include "src/am/last_scan.hpp"

#include <vector>

#include "src/guard.hpp"

namespace nphd {

namespace {
struct LastScan {
    Oid index = InvalidOid;
    uint64 pending_rows = 0;
    std::vector<LastScanLane> lanes;
};
}  // namespace

static LastScan last_scan;

void last_scan_begin(Oid index, uint64 pending_rows) {
    last_scan.index = index;
    last_scan.pending_rows = pending_rows;
    last_scan.lanes.clear();
}

void last_scan_add(const LastScanLane& lane) {
    guarded([&] { last_scan.lanes.push_back(lane); });
}

static const char* way_name(LaneAccount::Way way) {
    switch (way) {
        case LaneAccount::nothing:
            return "nothing";
        case LaneAccount::look_up:
            return "look-up";
        case LaneAccount::graph:
            return "graph";
        case LaneAccount::graph_scan:
            return "graph, then scan";
        case LaneAccount::scan:
            return "scan";
        case LaneAccount::gather:
            return "gather";
    }
    return "unknown";
}

static void put_lanes(ReturnSetInfo* result) {
    for (const LastScanLane& lane : last_scan.lanes) {
        Datum values[] = {ObjectIdGetDatum(last_scan.index),
                          Int64GetDatum(static_cast<int64>(lane.shard)),
                          Int32GetDatum(static_cast<int32>(lane.code_bytes * 8)),
                          CStringGetTextDatum(way_name(lane.account.way)),
                          Int64GetDatum(static_cast<int64>(lane.account.distances)),
                          Int64GetDatum(static_cast<int64>(lane.account.expanded)),
                          Int64GetDatum(static_cast<int64>(lane.rows))};
        bool nulls[lengthof(values)] = {false, false, lane.codeless};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    Datum pending[] = {ObjectIdGetDatum(last_scan.index),
                       Datum{0},
                       Datum{0},
                       CStringGetTextDatum("pending"),
                       Datum{0},
                       Datum{0},
                       Int64GetDatum(static_cast<int64>(last_scan.pending_rows))};
    bool pending_nulls[lengthof(pending)] = {false, true, true, false, true, true, false};
    tuplestore_putvalues(result->setResult, result->setDesc, pending, pending_nulls);
}

}  // namespace nphd

NPHD_FUNCTION(nphd_last_scan) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    if (OidIsValid(nphd::last_scan.index)) nphd::put_lanes(result);
    return Datum{0};
}
