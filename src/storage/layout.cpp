#include "src/storage/layout.hpp"

namespace nphd {

void init_page(Page page, PageKind kind, uint64 incarnation, uint64 generation, uint32 position, uint32 data_end) {
    PageInit(page, BLCKSZ, 0);
    reinterpret_cast<PageHeader>(page)->pd_lower = static_cast<LocationIndex>(data_end);
    PageStamp* stamp = page_stamp(page);
    *stamp = PageStamp{};
    stamp->magic = kShardMagic;
    stamp->kind = static_cast<uint16>(kind);
    stamp->format = kShardFormat;
    stamp->incarnation = incarnation;
    stamp->generation = generation;
    stamp->position = position;
}

static bool sound_header(PageHeader header, PageKind kind) {
    if (header->pd_upper != BLCKSZ || header->pd_special != BLCKSZ || header->pd_lower > BLCKSZ) return false;
    switch (kind) {
        case PageKind::meta:
            return header->pd_lower == kMetaPageEnd;
        case PageKind::tombstones:
            return header->pd_lower == BLCKSZ;
        case PageKind::pending:
            return header->pd_lower >= kPendingDataOffset;
        default:
            return header->pd_lower >= kPageDataOffset;
    }
}

const char* page_fault(Page page, PageKind kind, uint64 incarnation, uint64 generation, uint32 position) {
    const PageStamp* stamp = page_stamp(page);
    if (PageIsNew(page)) return "a zeroed page";
    if (stamp->magic != kShardMagic || stamp->kind != static_cast<uint16>(kind)) return "a page of another kind";
    if (stamp->incarnation != incarnation) return "a page of another index";
    if (stamp->generation != generation) return "a page of another generation";
    if (position != kAnyPosition && stamp->position != position) return "a page out of its place";
    if (!sound_header(reinterpret_cast<PageHeader>(page), kind)) return "a page with a damaged header";
    return nullptr;
}

void check_page(Relation index, Buffer buffer, PageKind kind, uint64 incarnation, uint64 generation, uint32 position) {
    const char* fault = page_fault(BufferGetPage(buffer), kind, incarnation, generation, position);
    if (fault != nullptr) report_damage(index, BufferGetBlockNumber(buffer), fault);
}

void report_damage(Relation index, BlockNumber block, const char* what) {
    ereport(ERROR,
            (errcode(ERRCODE_INDEX_CORRUPTED),
             errmsg("index \"%s\" is damaged at block %u", RelationGetRelationName(index), block),
             errdetail("Found %s.", what), errhint("REINDEX it: the table's data does not depend on the index.")));
    pg_unreachable();
}

void report_format(Relation index, uint32 format) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("index \"%s\" is of format %u, which this version of nphd cannot read",
                           RelationGetRelationName(index), format),
                    errdetail("It reads formats %u to %u.", kOldestFormat, kShardFormat),
                    format > kShardFormat ? errhint("Install the version that wrote it or a newer one, or REINDEX it.")
                                          : errhint("REINDEX it: nphd_needs_reindex() lists all such indexes.")));
    pg_unreachable();
}

Locator locator_of(Relation rel) {
    Locator locator;
    relation_locator(rel, &locator.tablespace, &locator.database, &locator.relation);
    return locator;
}

}  // namespace nphd
