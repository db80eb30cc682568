// Rows with filter values, some of them without a code, and the shards made of them.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>

#include "test/engine/shard_fixture.hpp"

namespace nphd::test {

using RowValues = std::vector<std::optional<FilterValue>>;  // by column; none: NULL

struct FilteredRow {
    std::optional<std::vector<std::uint8_t>> code;  // none: NULL
    RowId id;
    RowValues values;
};
using FilteredRows = std::vector<FilteredRow>;

inline FilterLayout layout_of(std::initializer_list<std::uint8_t> widths) {
    FilterLayout layout;
    for (const std::uint8_t width : widths) layout.width[layout.columns++] = width;
    return layout;
}

constexpr FilterValue most_of(std::uint32_t width) {
    return width == 16 ? ~FilterValue{0} : (FilterValue{1} << 8 * width) - 1;
}

/// With `null` in every byte of a value that is NULL.
inline std::vector<std::byte> record_of(const FilterLayout& layout, const RowValues& values, std::byte null = {}) {
    std::vector<std::byte> record(layout.record_bytes());
    for (std::uint32_t c = 0; c < layout.columns; ++c) {
        std::byte* const at = record.data() + layout.offset(c);
        if (values[c]) {
            store_filter_value(at, layout.width[c], *values[c]);
        } else {
            set_filter_null(record.data(), c);
            std::fill_n(at, layout.width[c], null);
        }
    }
    return record;
}

/// The columns of random_filtered_rows(): all widths; 0 is NULL now and then and has few values, 1 is never NULL, 5 is
/// always the same, 6 is always NULL, and 7 has as many values as it can.
inline FilterLayout eight_columns() { return layout_of({1, 2, 4, 8, 16, 4, 2, 16}); }

inline RowValues random_values(TestRandom& random) {
    const FilterLayout layout = eight_columns();
    RowValues values(layout.columns);
    constexpr std::uint32_t kDistinct[] = {6, 300, 100000, 40, 5000, 1, 1, 0};
    for (std::uint32_t c = 0; c < layout.columns; ++c) {
        if (c == 6 || (c != 1 && c != 5 && random.below(6) == 0)) continue;
        const FilterValue most = most_of(layout.width[c]);
        // From 0 to the largest value, both included.
        if (c == 5)
            values[c] = 77;
        else if (c == 7)
            values[c] = FilterValue{random.next()} << 64 | random.next();
        else
            values[c] = most / (kDistinct[c] - 1) * random.below(kDistinct[c]);
        if (c == 1 && random.below(200) == 0) values[c] = most;
    }
    return values;
}

/// Codes of 0, 3, 8 and 32 bytes, two rows to a code on average, and rows without a code.
inline FilteredRows random_filtered_rows(std::uint64_t seed, std::uint32_t n) {
    TestRandom random(seed);
    std::vector<std::vector<std::uint8_t>> codes;
    const auto append_codes = [&](const CodeSet& set) {
        for (std::uint32_t i = 0; i < set.size(); ++i) codes.emplace_back(set.code(i).begin(), set.code(i).end());
    };
    append_codes(near_duplicate_data(n / 4 + 1, 0, 32, random.next()).codes);
    append_codes(uniform_data(n / 8 + 1, 0, 8, random.next()).codes);
    append_codes(uniform_data(n / 40 + 1, 0, 3, random.next()).codes);
    for (std::uint32_t i = 0; i < n / 2000 + 1; ++i) codes.emplace_back();
    FilteredRows rows(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        rows[i].id = row_id(i);
        rows[i].values = random_values(random);
        if (random.below(6) != 0) rows[i].code = codes[random.below(static_cast<std::uint32_t>(codes.size()))];
    }
    for (std::uint32_t i = n; i > 1; --i) std::swap(rows[i - 1], rows[random.below(i)]);
    return rows;
}

inline std::unique_ptr<ShardInput> input_of(const FilteredRows& rows, const FilterLayout& layout,
                                            MemoryBudget& budget) {
    auto input = std::make_unique<ShardInput>(budget, layout);
    for (const FilteredRow& r : rows) {
        const auto record = record_of(layout, r.values, std::byte{0xEE});
        if (r.code)
            input->add(*r.code, r.id, record.data());
        else
            input->add_codeless(r.id, record.data());
    }
    return input;
}

inline std::unique_ptr<TestShard> make_shard(const FilteredRows& rows, const FilterLayout& layout,
                                             const ShardOptions& options = {}) {
    MemoryBudget budget;
    return std::make_unique<TestShard>(build_pages(input_of(rows, layout, budget), options, 2, budget));
}

}  // namespace nphd::test
