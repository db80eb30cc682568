// WAL of a change whose place on the page is known.
#pragma once

#include <span>

#include "src/pg.hpp"

namespace nphd {

/// Bytes of a page. So does a Generic WAL record name them, in front of what they are now.
struct PageRun {
    uint16 offset;
    uint16 length;
};
static_assert(sizeof(PageRun) == 4);

/// Logs that these bytes of the page were changed, as one Generic WAL record, and sets the page's LSN. At most eight
/// runs, of a page in the standard layout of which nothing behind pd_lower was changed. The caller holds the exclusive
/// lock, has marked the buffer dirty and is still in the critical section in which it changed the page, since nothing
/// but the record can undo that.
void log_page_runs(Buffer buffer, std::span<const PageRun> runs);

}  // namespace nphd
