// The border between C++, which reports failure by exceptions, and PostgreSQL, which reports it by longjmp.
//
// Neither may cross the other's frames. An exception that leaves an extern "C" function ends the whole cluster; an
// ereport(ERROR) that jumps over a frame with a live C++ object skips its destructor. So:
//
//  - C++ code that can throw, or that owns something, runs inside guarded(). The callable may use such objects freely,
//    and calls nothing of PostgreSQL that can raise an error; it takes its input by reference and leaves plain data.
//  - The frames outside hold only trivially destructible data (spans, pointers, numbers) and may raise errors anywhere.
//  - An exception becomes an ERROR after every frame of the callable and the exception itself are gone.
//  - Functions that are noexcept and own nothing, such as the distance kernels, need no guard.
#pragma once

#include "src/pg.hpp"

#include <exception>
#include <new>
#include <stdexcept>
#include <type_traits>

namespace nphd {

/// An exception as plain data, which a longjmp may leave behind.
struct CaughtError {
    int sqlstate = ERRCODE_INTERNAL_ERROR;
    char message[256] = "unknown C++ exception";
};

/// Fills `error` from the exception that is being handled; call it inside a catch block only.
inline void describe_exception(CaughtError& error) noexcept {
    const auto set = [&error](int sqlstate, const char* text) {
        error.sqlstate = sqlstate;
        snprintf(error.message, sizeof error.message, "%s", text);
    };
    try {
        throw;
    } catch (const std::bad_alloc&) {
        set(ERRCODE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::length_error& e) {
        set(ERRCODE_PROGRAM_LIMIT_EXCEEDED, e.what());
    } catch (const std::exception& e) {
        set(ERRCODE_INTERNAL_ERROR, e.what());
    } catch (...) {
        // the text stands already
    }
}

[[noreturn]] inline void raise_error(const CaughtError& error) {
    ereport(ERROR, errcode(error.sqlstate), errmsg("%s", error.message));
}

/// Runs `f` and returns its result, which must be plain data; what it throws is raised as an ERROR instead:
/// std::bad_alloc as 53200, std::length_error as 54000, everything else as XX000 with its text.
template <class F>
auto guarded(F&& f) -> std::invoke_result_t<F&> {
    using Result = std::invoke_result_t<F&>;
    static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                  "a result with a destructor could be jumped over by the caller's next ereport");
    static_assert(std::is_trivially_destructible_v<std::remove_reference_t<F>>,
                  "capture by reference: the closure lives in the frame that raises the error");
    CaughtError error;
    try {
        return f();
    } catch (...) {
        describe_exception(error);
    }
    raise_error(error);
}

}  // namespace nphd
