// A node and its distance as one integer.
#pragma once

#include "engine/base/types.hpp"

namespace nphd {

/// A node with its raw distance in the upper half: ordered as the stream of a lane is.
using RankedNode = std::uint64_t;

constexpr RankedNode ranked(std::uint32_t raw, NodeId node) noexcept { return std::uint64_t{raw} << 32 | node; }
constexpr std::uint32_t raw_of(RankedNode r) noexcept { return static_cast<std::uint32_t>(r >> 32); }
constexpr NodeId node_of(RankedNode r) noexcept { return static_cast<NodeId>(r); }

}  // namespace nphd
