#include "src/settings.hpp"

#include "src/faults.hpp"

#include "engine/search/nearest.hpp"

namespace nphd {

Settings settings;

static int shard_access_choice;

static const struct config_enum_entry shard_access_choices[] = {
    {"mapped", static_cast<int>(ShardAccess::mapped), false},
    {"buffered", static_cast<int>(ShardAccess::buffered), false},
    {nullptr, 0, false},
};

static void assign_shard_access(int value, void*) { settings.shard_access = static_cast<ShardAccess>(value); }

void define_settings() {
    DefineCustomIntVariable("nphd.ef_search", "Candidates that are settled before an index scan returns its first row.",
                            "0 takes the index's option ef_search, or what nphd.recall asks for.", &settings.ef_search,
                            0, 0, kMaxEfSearch, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("nphd.visit_limit",
                            "Codes visited in one graph before the search settles for nphd.ef_search candidates.",
                            nullptr, &settings.visit_limit, static_cast<int>(NearestOptions{}.visit_cap), 1, INT_MAX,
                            PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomRealVariable("nphd.recall",
                             "Share of the nearest neighbours that index scans are to find where no ef_search is set.",
                             "Each graph was measured when it was sealed; 1 makes index scans compare every code.",
                             &settings.recall, 0.95, 0.5, 1.0, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("nphd.exact", "Makes index scans compare every code, so that they miss nothing.", nullptr,
                             &settings.exact, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable("nphd.shard_access", "How sealed shards are read.",
                             "mapped: in place, through the kernel's page cache; buffered: copied through shared "
                             "buffers into the backend's memory.",
                             &shard_access_choice, static_cast<int>(ShardAccess::mapped), shard_access_choices,
                             PGC_USERSET, 0, nullptr, assign_shard_access, nullptr);
    DefineCustomBoolVariable("nphd.background_maintenance",
                             "Lets inserts and VACUUM start a background worker that folds and merges.", nullptr,
                             &settings.background, true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("nphd.pending_limit", "Size of the pending area from which on it is folded.", nullptr,
                            &settings.pending_limit_kb, 1024, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, nullptr,
                            nullptr, nullptr);
    define_fault_setting();
    MarkGUCPrefixReserved("nphd");
}

}  // namespace nphd
