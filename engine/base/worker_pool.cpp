#include "engine/base/worker_pool.hpp"

#include <pthread.h>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace nphd {

namespace {
// Blocks all signals for as long as it lives; threads started meanwhile inherit the mask.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};
}  // namespace

void parallel_for(unsigned threads, std::size_t tasks, const std::function<void(std::size_t)>& task) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr first_error;
    std::mutex error_mutex;
    const auto work = [&] {
        try {
            for (std::size_t i; (i = next.fetch_add(1)) < tasks;) task(i);
        } catch (...) {
            const std::lock_guard lock(error_mutex);
            if (!first_error) first_error = std::current_exception();
            next = tasks;
        }
    };
    std::vector<std::thread> helpers;
    if (threads > 1 && tasks > 1) {
        const SignalsBlocked blocked;
        helpers.reserve(threads - 1);
        try {
            for (unsigned i = 1; i < threads && i < tasks; ++i) helpers.emplace_back(work);
        } catch (...) {
            // No further thread, or no memory for one, to be had: those that run, and this one, do the work.
        }
    }
    work();
    for (auto& t : helpers) t.join();
    if (first_error) std::rethrow_exception(first_error);
}

}  // namespace nphd
