#include "src/am/options.hpp"

#include "src/am/filter_columns.hpp"
#include "src/am/opclass.hpp"
#include "src/settings.hpp"

#include "engine/shard/shard_build.hpp"

namespace nphd {

// As build_reloptions() lays it out.
struct StoredOptions {
    int32 vl_len_;
    int m;
    int ef_construction;
    int ef_search;
    int radius_bits;
    bool prefix_edges;
    bool sort_by_filter;
};

static relopt_kind options_kind;

static constexpr int kMinM = 4, kMaxM = 64;
static constexpr int kMinEfConstruction = 16, kMaxEfConstruction = 1000;
static const int default_m = static_cast<int>(ShardOptions{}.m);
static const int default_ef_construction = static_cast<int>(ShardOptions{}.ef_construction);
static constexpr int kUnset = 0;
static constexpr int kMaxRadiusBits = kMaxCodeBytes * 8;
static const int default_radius_bits = static_cast<int>(ShardOptions{}.radius_bits);

void define_index_options() {
    options_kind = add_reloption_kind();
    add_int_reloption(options_kind, "m", "Links per code on the upper levels of a graph; twice as many on the lowest",
                      default_m, kMinM, kMaxM, AccessExclusiveLock);
    add_int_reloption(options_kind, "ef_construction", "Candidates considered for each code's links",
                      default_ef_construction, kMinEfConstruction, kMaxEfConstruction, AccessExclusiveLock);
    add_int_reloption(options_kind, "ef_search",
                      "Default of nphd.ef_search for this index; nphd.recall decides where it is not set", kUnset, 1,
                      kMaxEfSearch, ShareUpdateExclusiveLock);
    add_int_reloption(options_kind, "radius_bits", "Leading bits of a code that radius tables cover; 0: no such tables",
                      default_radius_bits, 0, kMaxRadiusBits, AccessExclusiveLock);
    add_bool_reloption(options_kind, "prefix_edges",
                       "Serve queries that are shorter than the codes (bitvec_nphd_ops only)", true,
                       AccessExclusiveLock);
    add_bool_reloption(options_kind, "sort_by_filter",
                       "Keep rows with the same value of the first column after the code side by side", false,
                       AccessExclusiveLock);
}

bytea* nphdoptions(Datum reloptions, bool validate) {
    const auto option = [](const char* name, relopt_type type, int offset) {
        relopt_parse_elt element{};
        element.optname = name;
        element.opttype = type;
        element.offset = offset;
        return element;
    };
    static const relopt_parse_elt table[] = {
        option("m", RELOPT_TYPE_INT, offsetof(StoredOptions, m)),
        option("ef_construction", RELOPT_TYPE_INT, offsetof(StoredOptions, ef_construction)),
        option("ef_search", RELOPT_TYPE_INT, offsetof(StoredOptions, ef_search)),
        option("radius_bits", RELOPT_TYPE_INT, offsetof(StoredOptions, radius_bits)),
        option("prefix_edges", RELOPT_TYPE_BOOL, offsetof(StoredOptions, prefix_edges)),
        option("sort_by_filter", RELOPT_TYPE_BOOL, offsetof(StoredOptions, sort_by_filter)),
    };
    auto* stored = static_cast<StoredOptions*>(
        build_reloptions(reloptions, validate, options_kind, sizeof(StoredOptions), table, lengthof(table)));
    if (validate && stored != nullptr && stored->ef_construction < stored->m)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("ef_construction (%d) must be at least m (%d)", stored->ef_construction, stored->m)));
    return reinterpret_cast<bytea*>(stored);
}

IndexOptions index_options(Relation index) {
    const auto* stored = reinterpret_cast<const StoredOptions*>(index->rd_options);
    const Metric metric = index_metric(index);
    const bool prefix_edges = metric == Metric::nphd && (stored == nullptr || stored->prefix_edges);
    IndexOptions options{};
    options.metric = static_cast<uint32>(metric);
    options.m = static_cast<uint32>(stored ? stored->m : default_m);
    options.ef_construction = static_cast<uint32>(stored ? stored->ef_construction : default_ef_construction);
    options.radius_bits = static_cast<uint32>(stored ? stored->radius_bits : default_radius_bits);
    options.prefix_bytes = prefix_edges ? ShardOptions{}.prefix_bytes : 0;
    options.filters = filter_layout(index);
    check_filter_classes(index);
    options.sort_by_filter = stored != nullptr && stored->sort_by_filter && options.filters.columns > 0;
    return options;
}

int index_ef_search(Relation index) {
    const auto* stored = reinterpret_cast<const StoredOptions*>(index->rd_options);
    return stored ? stored->ef_search : kUnset;
}

}  // namespace nphd
