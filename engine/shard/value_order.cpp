#include "engine/shard/value_order.hpp"

#include <algorithm>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

template <class Value>
struct Place {
    Value value;
    std::uint32_t posting;
    friend bool operator<(const Place& a, const Place& b) noexcept {
        return a.value != b.value ? a.value < b.value : a.posting < b.posting;
    }
};

template <class Value>
ValueOrder build(const FilterColumnView& column, std::uint32_t postings, MemoryBudget& budget, Progress& progress) {
    LargeArray<Place<Value>> places(budget, postings);
    std::uint32_t n = 0;
    for (std::uint32_t p = 0; p < postings; ++p) {
        progress.check();
        if (!column.is_null(p)) places[n++] = {column.values.value<Value>(p), p};
    }
    std::sort(places.begin(), places.begin() + n, [&](const Place<Value>& a, const Place<Value>& b) {
        progress.check();
        return a < b;
    });

    ValueOrder out;
    out.places = n;
    out.postings = PackedNumbers(budget, n, number_bytes(postings));
    out.fences = LargeArray<std::byte>(budget, std::size_t{fences_of(n)} * sizeof(Value));
    std::uint32_t distinct = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        out.postings.set(i, places[i].posting);
        if (i % kFenceStride == 0)
            std::memcpy(out.fences.data() + std::size_t{i / kFenceStride} * sizeof(Value), &places[i].value,
                        sizeof(Value));
        distinct += i == 0 || places[i].value != places[i - 1].value;
    }
    out.bloom_blocks = bloom_blocks(distinct);
    out.bloom = LargeArray<std::byte>(budget, std::size_t{out.bloom_blocks} * kBloomBlockBytes);
    for (std::uint32_t i = 0; i < n; ++i) {
        if (i > 0 && places[i].value == places[i - 1].value) continue;
        progress.check();
        const std::uint64_t hash = hash_filter_value(places[i].value);
        bloom_add(out.bloom.data() + std::size_t{bloom_block(hash, out.bloom_blocks)} * kBloomBlockBytes, hash);
    }
    progress.done += postings;
    return out;
}

}  // namespace

ValueOrder build_value_order(const FilterColumnView& column, std::uint32_t postings, MemoryBudget& budget,
                             Progress& progress) {
    switch (column.values.record_bytes) {
        case 1:
            return build<std::uint8_t>(column, postings, budget, progress);
        case 2:
            return build<std::uint16_t>(column, postings, budget, progress);
        case 4:
            return build<std::uint32_t>(column, postings, budget, progress);
        case 8:
            return build<std::uint64_t>(column, postings, budget, progress);
        default:
            return build<FilterValue>(column, postings, budget, progress);
    }
}

}  // namespace nphd
