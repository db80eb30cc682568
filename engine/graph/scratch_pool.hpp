// Scratch memory for tasks that run on any thread.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace nphd {

/// Lends objects that are costly to make; there are never more of them than tasks running at a time.
template <class T>
class ScratchPool {
public:
    /// Calls use(object) with a free object, made by make() if there is none.
    template <class Make, class Use>
    void with(const Make& make, const Use& use) {
        std::unique_ptr<T> object = take();
        if (!object) object = std::make_unique<T>(make());
        use(*object);
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(object));
    }

private:
    std::unique_ptr<T> take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) return nullptr;
        std::unique_ptr<T> object = std::move(free_.back());
        free_.pop_back();
        return object;
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> free_;
};

}  // namespace nphd
