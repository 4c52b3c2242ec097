// SPDX-License-Identifier: MIT
// The plans that were asked for last, of one device and dtype.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace lily::kernels {

// Threads may ask at the same time. A plan that has to make room lives on with those who hold it.
template <class Key, class Plan, size_t kMost>
class PlanStore {
  public:
    // The plan of this key, or make() of it.
    template <class Make>
    std::shared_ptr<const Plan> get(const Key& key, const Make& make) {
        const std::lock_guard lock(mutex_);
        if (const auto found = places_.find(key); found != places_.end()) {
            plans_.splice(plans_.begin(), plans_, found->second);
            return plans_.front().second;
        }
        plans_.emplace_front(key, make());
        places_[key] = plans_.begin();
        if (plans_.size() > kMost) {
            places_.erase(plans_.back().first);
            plans_.pop_back();
        }
        return plans_.front().second;
    }

  private:
    using Plans = std::list<std::pair<Key, std::shared_ptr<const Plan>>>;  // the latest first

    std::mutex mutex_;
    Plans plans_;
    std::map<Key, typename Plans::iterator> places_;
};

}  // namespace lily::kernels
