// What a search did in one lane.
#pragma once

#include <cstdint>

namespace nphd {

struct LaneAccount {
    enum Way : std::uint8_t {
        nothing,     // there was nothing to be found, or it was not needed
        look_up,     // hash directory or radius tables alone
        graph,       // walked, after what look-ups found
        graph_scan,  // walked, then the rest was read
        scan,        // all codes were read
        gather       // the codes of all rows that a filter lets pass were read
    };
    Way way = nothing;
    std::uint64_t distances = 0;  // computed
    std::uint64_t expanded = 0;   // nodes whose links were followed
};

}  // namespace nphd
