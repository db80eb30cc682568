#include "src/am/search_options.hpp"

#include "src/am/options.hpp"
#include "src/settings.hpp"

namespace nphd {

NearestOptions search_options(Relation index, Metric metric) {
    const int ef_search = settings.ef_search > 0 ? settings.ef_search : index_ef_search(index);
    NearestOptions options;
    options.metric = metric;
    options.exact = settings.exact;
    if (ef_search > 0)
        options.ef_search = static_cast<std::uint32_t>(ef_search);
    else
        options.recall = settings.recall;
    options.visit_cap = static_cast<std::uint32_t>(settings.visit_limit);
    return options;
}

}  // namespace nphd
