// Addresses of records in plain memory and on pages.
#include "engine/base/record_array.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

namespace nphd {
namespace {

/// New with every run; NPHD_TEST_SEED repeats one.
std::uint32_t test_seed() {
    const char* const given = std::getenv("NPHD_TEST_SEED");
    return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

/// Where the record starts, counted from the start of the first page, by division.
std::uint64_t offset_by_division(std::uint64_t i, std::uint64_t record_bytes) {
    const std::uint64_t per_page = kPageDataBytes / record_bytes;
    return i / per_page * kPageBytes + kPageDataOffset + i % per_page * record_bytes;
}

std::uint64_t offset_by_at(const RecordArray& codes, const std::byte* first_page, std::uint32_t i) {
    return static_cast<std::uint64_t>(codes.at(i) - first_page);
}

// Addresses are only computed, never read, so one page stands for arrays of any size.
alignas(64) const std::byte page[kPageBytes]{};

TEST(RecordArrayTest, PagedAddressesEqualDivisionForEveryRecordSize) {
    const std::uint32_t seed = test_seed();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (std::uint32_t bytes = 1; bytes <= kPageDataBytes; ++bytes) {
        const RecordArray codes = RecordArray::paged(page, bytes, ~0u);
        const std::uint32_t per_page = RecordArray::records_per_page(bytes);
        std::vector<std::uint32_t> ids = {0, 1, 2, ~0u - 1, ~0u - 2, 1u << 31, (1u << 31) - 1};
        for (std::uint64_t p : {1ull, 2ull, 3ull, 1000ull, (1ull << 32) / per_page - 1, (1ull << 32) / per_page}) {
            for (std::uint64_t i : {p * per_page - 1, p * per_page, p * per_page + 1}) {
                if (i < ~0u) ids.push_back(static_cast<std::uint32_t>(i));
            }
        }
        for (int i = 0; i < 64; ++i) ids.push_back(static_cast<std::uint32_t>(random()) >> (random() % 32));
        for (const std::uint32_t i : ids) {
            ASSERT_EQ(offset_by_at(codes, page, i), offset_by_division(i, bytes)) << "record " << i << " of " << bytes;
        }
    }
}

TEST(RecordArrayTest, EveryRecordOfTheFirstPagesLiesInsideOnePage) {
    for (const std::uint32_t bytes : {1u, 7u, 8u, 24u, 32u, 64u, 1000u, 4064u, 4065u, 8000u, 8128u}) {
        const RecordArray codes = RecordArray::paged(page, bytes, ~0u);
        for (std::uint32_t i = 0; i < 5 * RecordArray::records_per_page(bytes); ++i) {
            const std::uint64_t begin = offset_by_at(codes, page, i);
            ASSERT_GE(begin % kPageBytes, kPageDataOffset);
            ASSERT_EQ(begin / kPageBytes, (begin + bytes - 1) / kPageBytes);
        }
    }
}

TEST(RecordArrayTest, PlainRecordsAreContiguous) {
    for (const std::uint32_t bytes : {1u, 8u, 32u, 8000u, 100000u}) {
        const RecordArray codes = RecordArray::plain(page, bytes, ~0u);
        for (const std::uint32_t i : {0u, 1u, 2u, 255u, 1u << 31, ~0u - 1}) {
            EXPECT_EQ(offset_by_at(codes, page, i), static_cast<std::uint64_t>(i) * bytes);
        }
    }
}

TEST(RecordArrayTest, ValueReadsUnalignedRecords) {
    std::vector<unsigned char> pages(2 * kPageBytes);
    const std::uint32_t per_page = RecordArray::records_per_page(6);
    for (std::uint32_t i = 0; i < per_page + 3; ++i) {
        const std::uint32_t v = i * 2654435761u;
        std::memcpy(&pages[offset_by_division(i, 6)], &v, sizeof v);
    }
    const RecordArray records = RecordArray::paged(pages.data(), 6, per_page + 3);
    for (std::uint32_t i = 0; i < records.count; ++i) EXPECT_EQ(records.value<std::uint32_t>(i), i * 2654435761u);
}

TEST(RecordArrayTest, PagesForCountsStartedPages) {
    EXPECT_EQ(RecordArray::pages_for(0, 32), 0u);
    EXPECT_EQ(RecordArray::pages_for(1, 32), 1u);
    EXPECT_EQ(RecordArray::records_per_page(32), 254u);
    EXPECT_EQ(RecordArray::pages_for(254, 32), 1u);
    EXPECT_EQ(RecordArray::pages_for(255, 32), 2u);
    EXPECT_EQ(RecordArray::pages_for(3, 8128), 3u);
    EXPECT_EQ(RecordArray::pages_for(0xFFFFFFFFull, 4065), 0xFFFFFFFFu);
}

}  // namespace
}  // namespace nphd
