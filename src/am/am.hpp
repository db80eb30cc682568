// The callbacks of the access method, one file per phase.
#pragma once

#include "src/pg.hpp"

namespace nphd {

// build.cpp
IndexBuildResult* nphdbuild(Relation heap, Relation index, IndexInfo* info);
void nphdbuildempty(Relation index);
char* nphdbuildphasename(int64 phase);

// insert.cpp
bool nphdinsert(Relation index, Datum* values, bool* isnull, ItemPointer row, Relation heap, IndexUniqueCheck unique,
                bool unchanged, IndexInfo* info);

// scan.cpp
IndexScanDesc nphdbeginscan(Relation index, int nkeys, int norderbys);
void nphdrescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
bool nphdgettuple(IndexScanDesc scan, ScanDirection direction);
int64 nphdgetbitmap(IndexScanDesc scan, TIDBitmap* bitmap);
void nphdendscan(IndexScanDesc scan);

// vacuum.cpp
IndexBulkDeleteResult* nphdbulkdelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback dead,
                                      void* state);
IndexBulkDeleteResult* nphdvacuumcleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

// cost.cpp
void nphdcostestimate(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                      Selectivity* selectivity, double* correlation, double* pages);

}  // namespace nphd
