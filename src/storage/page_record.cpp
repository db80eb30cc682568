// GenericXLogFinish() finds out what was changed: a copy of the page is taken at the beginning, and the two are
// compared byte by byte at the end. That was three quarters of the time of an append (docs/benchmarks.md, "Insert
// path"), under the exclusive lock of the page that all who insert wait for.
//
// Written is what GenericXLogFinish() writes, and generic_redo() replays it: a record of the Generic resource manager
// with one block in the standard layout, whose data are runs, one after the other, each as offset, length (16 bits in
// the byte order of the machine) and bytes. PostgreSQL does not promise this layout to extensions; it has been the same
// from 9.6 to 18. wal_consistency_checking = 'generic' compares each page with what replay makes of it.

#include "src/storage/page_record.hpp"

namespace nphd {

static_assert(PG_VERSION_NUM < 190000, "generic_xlog.c of this version: does it still keep deltas as described above?");

void log_page_runs(Buffer buffer, std::span<const PageRun> runs) {
    Page page = BufferGetPage(buffer);
    XLogBeginInsert();
    XLogRegisterBuffer(0, buffer, REGBUF_STANDARD);
    for (const PageRun& run : runs) {
        XLogRegisterBufData(0, reinterpret_cast<char*>(const_cast<PageRun*>(&run)), sizeof run);
        XLogRegisterBufData(0, page + run.offset, run.length);
    }
    const XLogRecPtr end = XLogInsert(RM_GENERIC_ID, 0);
    PageSetLSN(page, end);  // a macro that looks twice
}

}  // namespace nphd
