// Threads for engine work that a database backend started: they never see a signal and never call back.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <stdexcept>

namespace nphd {

/// Thrown inside engine work once its Progress was cancelled; never seen by the caller who cancelled.
struct Cancelled : std::runtime_error {
    Cancelled() : std::runtime_error("cancelled") {}
};

/// What a running build tells its owner, and the owner's way to stop it. All members may be used from any thread.
struct Progress {
    enum Phase : int { idle = 0, deduplicate, order, partition, prune, connect, upper_levels, look_up, done_building };
    std::atomic<int> phase{idle};
    std::atomic<std::uint64_t> done{0};   // nodes handled in this phase
    std::atomic<std::uint64_t> total{0};  // nodes of this phase
    std::atomic<bool> cancel{false};

    void begin(Phase p, std::uint64_t n) noexcept {
        done = 0;
        total = n;
        phase = p;
    }
    void check() const {
        if (cancel.load(std::memory_order_relaxed)) throw Cancelled();
    }
};

/// Runs task(0) .. task(tasks - 1), each once, on the calling thread and `threads - 1` others, and returns when
/// all are done. Tasks are handed out in ascending order. All signals are blocked in the other threads. The first
/// exception of a task stops the handing out and is rethrown here after every thread was joined.
void parallel_for(unsigned threads, std::size_t tasks, const std::function<void(std::size_t)>& task);

}  // namespace nphd
