// Runs of blocks and whose they are: for whoever accounts for every block of the file.
#pragma once

#include "src/storage/layout.hpp"

namespace nphd {

struct Run {
    BlockNumber first, end;
    const char* owner;
};

/// A growing array in `context`.
struct Runs {
    MemoryContext context;
    Run* runs;
    uint32 n, max;
};

/// Adds [first, end) unless it is empty; a run that continues the last one of the same owner becomes a part of it.
void runs_add(Runs* runs, BlockNumber first, BlockNumber end, const char* owner);
/// Ascending by first block.
void runs_sort(Runs* runs);

}  // namespace nphd
