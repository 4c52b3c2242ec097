// SPDX-License-Identifier: MIT
#include "clock.h"

#include <algorithm>

namespace simt {

bool knows(const KnownWork& known, uint32_t stream, uint64_t serial) {
    if (serial == 0) return true;
    if (known == nullptr) return false;
    const auto found = known->find(stream);
    return found != known->end() && found->second >= serial;
}

KnownWork joined(const KnownWork& a, const KnownWork& b) {
    if (b == nullptr || a == b) return a;
    if (a == nullptr) return b;
    if (std::all_of(b->begin(), b->end(),
                    [&](const auto& work) { return knows(a, work.first, work.second); }))
        return a;
    auto both = std::make_shared<Clock>(*a);
    for (const auto& [stream, serial] : *b) (*both)[stream] = std::max((*both)[stream], serial);
    return both;
}

KnownWork joined(const KnownWork& a, uint32_t stream, uint64_t serial) {
    if (knows(a, stream, serial)) return a;
    auto both = a == nullptr ? std::make_shared<Clock>() : std::make_shared<Clock>(*a);
    (*both)[stream] = serial;
    return both;
}

}  // namespace simt
