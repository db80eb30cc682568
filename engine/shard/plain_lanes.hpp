// Lanes in plain memory, without graph or tables: for the few codes that no shard holds yet.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "engine/shard/shard_view.hpp"

namespace nphd {

/// add() all rows, then seal() once; then the views are good for as long as the object. Throws std::bad_alloc.
class PlainLanes {
public:
    void add(std::span<const std::uint8_t> code, RowId row);
    void seal();

    /// Ascending by code_bytes.
    std::span<const LaneView> lanes() const noexcept { return views_; }
    /// About how much memory is needed at most, seal() included.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Lane {
        std::vector<std::uint64_t> codes;  // whole words, padded with zeros
        std::vector<PackedRowId> rows;
        std::vector<std::uint32_t> offsets;
        std::uint32_t words = 0;

        void seal(std::uint32_t code_bytes, std::uint64_t posting_base, LaneView& view);
    };
    std::map<std::uint32_t, Lane> by_length_;
    std::vector<LaneView> views_;
    std::size_t bytes_ = 0;
};

}  // namespace nphd
