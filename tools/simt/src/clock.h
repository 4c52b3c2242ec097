// SPDX-License-Identifier: MIT
// Vector clocks of the streams: which of their work comes before what is to come.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

namespace simt {

// Of each stream, by its number: the serial number up to which its work comes before.
using Clock = std::map<uint32_t, uint64_t>;
using KnownWork = std::shared_ptr<const Clock>;                        // null: none
bool knows(const KnownWork& known, uint32_t stream, uint64_t serial);  // 0: no work at all
KnownWork joined(const KnownWork& a, const KnownWork& b);
KnownWork joined(const KnownWork& a, uint32_t stream, uint64_t serial);

}  // namespace simt
