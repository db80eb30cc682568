// A read of mapped memory can fail (the disk, or a file cut short behind our back) with SIGBUS. While engine code reads
// a mapping, the guard turns that into a return value instead of a crash of the whole cluster.
#pragma once

#include "src/pg.hpp"

#include <atomic>
#include <csetjmp>
#include <csignal>

namespace nphd {

extern sigjmp_buf sigbus_jump;
extern volatile sig_atomic_t sigbus_armed;
void sigbus_install();

/// Runs f() and returns true, or false if reading a mapping failed in it. f calls no PostgreSQL function and owns no
/// object with a destructor on its frames (they are skipped); what it changed in members must be thrown away after
/// false.
template <class F>
[[nodiscard]] bool survives_sigbus(F&& f) {
    sigbus_install();
    if (sigsetjmp(sigbus_jump, 0) != 0) return false;
    sigbus_armed = 1;
    // The compiler must not move reads out of the guarded stretch.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    try {
        f();
    } catch (...) {
        sigbus_armed = 0;
        throw;
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
    sigbus_armed = 0;
    return true;
}

}  // namespace nphd
