#include "engine/search/lane_scan.hpp"

#include <algorithm>

namespace nphd {

void LaneScan::start(const LaneQuery* query, BatchSpace* space, std::uint32_t most, std::size_t first_batch) noexcept {
    query_ = query;
    space_ = space;
    codes_read_ = 0;
    batch_size_ = first_batch;
    most_ = ranked(most, kNoNode);
    batch_.clear();
    next_ = 0;
    exhausted_ = started_ = in_pass_ = false;
    watermark_ = 0;
}

void LaneScan::begin_pass() {
    if (!batch_.empty()) {
        watermark_ = batch_.back();
        started_ = true;
        batch_size_ = std::min(batch_size_ * 8, kLargestBatch);
    }
    batch_.clear();
    batch_.reserve(2 * std::min<std::size_t>(batch_size_, query_->view->nodes));
    next_ = 0;
    position_ = 0;
    limit_ = most_;
    cut_ = false;
    in_pass_ = true;
}

void LaneScan::shrink() {
    const auto last = batch_.begin() + static_cast<std::ptrdiff_t>(batch_size_ - 1);
    std::nth_element(batch_.begin(), last, batch_.end());
    limit_ = *last;
    batch_.resize(batch_size_);
    cut_ = true;
}

void LaneScan::end_pass() {
    if (batch_.size() > batch_size_) shrink();
    std::sort(batch_.begin(), batch_.end());
    exhausted_ = !cut_;
    in_pass_ = false;
}

}  // namespace nphd
