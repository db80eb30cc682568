#include "src/storage/runs.hpp"

namespace nphd {

void runs_add(Runs* runs, BlockNumber first, BlockNumber end, const char* owner) {
    if (first >= end) return;
    if (runs->n > 0 && runs->runs[runs->n - 1].end == first && runs->runs[runs->n - 1].owner == owner) {
        runs->runs[runs->n - 1].end = end;
        return;
    }
    if (runs->n == runs->max) {
        runs->max = Max(64u, runs->max * 2);
        const Size bytes = runs->max * sizeof(Run);
        runs->runs = static_cast<Run*>(runs->runs ? repalloc_huge(runs->runs, bytes)
                                                  : MemoryContextAllocHuge(runs->context, bytes));
    }
    runs->runs[runs->n++] = {first, end, owner};
}

static int by_first_block(const void* a, const void* b) {
    const BlockNumber x = static_cast<const Run*>(a)->first, y = static_cast<const Run*>(b)->first;
    return x < y ? -1 : x > y;
}

void runs_sort(Runs* runs) { qsort(runs->runs, runs->n, sizeof(Run), by_first_block); }

}  // namespace nphd
