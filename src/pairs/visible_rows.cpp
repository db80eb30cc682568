#include "src/pairs/visible_rows.hpp"

namespace nphd {

VisibleRows visible_rows_begin(Relation table, Snapshot snapshot) {
    VisibleRows rows{};
    rows.table = table;
    rows.snapshot = snapshot;
    rows.fetch = table_index_fetch_begin(table);
    rows.slot = table_slot_create(table, nullptr);
    rows.answers =
        static_cast<VisibleRows::Answer*>(palloc0(sizeof(VisibleRows::Answer) * Size{VisibleRows::kAnswers}));
    return rows;
}

void visible_rows_end(VisibleRows* rows) {
    pfree(rows->answers);
    ExecDropSingleTupleTableSlot(rows->slot);
    table_index_fetch_end(rows->fetch);
}

uint64 visible_version(VisibleRows* rows, RowId row) {
    const uint64 packed = pack_row(row);
    VisibleRows::Answer* answer =
        &rows->answers[murmurhash32(static_cast<uint32>(packed ^ packed >> 32)) % VisibleRows::kAnswers];
    if (answer->asked == packed) return answer->visible;
    ItemPointerData tid;
    ItemPointerSet(&tid, row.block, row.offset);
    bool call_again = false, all_dead = false;
    uint64 visible = 0;
    if (table_index_fetch_tuple(rows->fetch, &tid, rows->snapshot, rows->slot, &call_again, &all_dead)) {
        const ItemPointerData* found = &rows->slot->tts_tid;
        visible = pack_row({ItemPointerGetBlockNumber(found), ItemPointerGetOffsetNumber(found)});
    }
    ExecClearTuple(rows->slot);
    *answer = {packed, visible};
    return visible;
}

}  // namespace nphd
