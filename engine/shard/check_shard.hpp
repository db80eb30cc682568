// Whether the contents of a sealed shard are what its builder writes. open_shard() looks at tables and bounds; this
// looks at every code, link, level entry, posting list, row id, filter value and entry of a look-up table, and at what
// the entry points of a graph reach.
#pragma once

#include <memory>
#include <span>

#include "engine/shard/shard_view.hpp"

namespace nphd {

/// One kind of fault in one lane.
struct ShardFinding {
    const char* what;
    bool codeless;             // the lane of rows without a code
    std::uint32_t code_bytes;  // the lane
    std::uint32_t page;        // of the shard, where it was met first
    std::uint64_t count;       // how often it was met
    bool warning;              // searches are worse for it, but nothing is wrong
};

/// A check in slices, so that its caller can look at interrupts and guard each slice against errors of the mapping:
/// step() allocates nothing and owns nothing on its frames.
class ShardCheck {
public:
    enum class Step { more, finding, end };

    /// `pages` is what the view was opened on; both must outlive the check. Bit p of `tombstones` (empty: none is set)
    /// says that posting p is dead. Memory: 2 bits per node of the largest lane (one of them per posting where there
    /// are filter columns), 256 KiB, and up to `memory` bytes for the search for codes that occur twice, which goes
    /// over the codes as often as it takes. Throws std::bad_alloc.
    ShardCheck(const ShardView& view, const std::uint8_t* pages, std::span<const std::uint8_t> tombstones,
               std::size_t memory);
    ~ShardCheck();
    ShardCheck(const ShardCheck&) = delete;
    ShardCheck& operator=(const ShardCheck&) = delete;

    /// Works on for some milliseconds. After `finding` one is in `out`; after `end` there is nothing left to do.
    Step step(ShardFinding& out) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nphd
