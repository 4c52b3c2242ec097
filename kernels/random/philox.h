// SPDX-License-Identifier: MIT
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): four random words as a
// function of a counter and a key. No state, so any element of any tensor can be made on its own.
#pragma once

#include <cstdint>

#include "kernels/common/on_device.h"
#include "kernels/random/random.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

struct PhiloxCounter {
    uint32_t word[4];
    bool operator==(const PhiloxCounter&) const = default;
};
struct PhiloxKey {
    uint32_t word[2];
};

LILY_SHARED inline PhiloxCounter philox4x32(PhiloxCounter c, PhiloxKey key) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t{0xD2511F53} * c.word[0], b = uint64_t{0xCD9E8D57} * c.word[2];
        c = {{static_cast<uint32_t>(b >> 32) ^ c.word[1] ^ key.word[0], static_cast<uint32_t>(b),
              static_cast<uint32_t>(a >> 32) ^ c.word[3] ^ key.word[1], static_cast<uint32_t>(a)}};
        key.word[0] += 0x9E3779B9;  // the golden ratio
        key.word[1] += 0xBB67AE85;  // √3 - 1
    }
    return c;
}

// The stream that a kernel was given, or that it is to read.
LILY_SHARED inline RandomStream found(const RandomStream& s) { return s.replayed ? *s.replayed : s; }

// Block b of a stream.
LILY_SHARED inline PhiloxCounter philox_block(RandomStream s, uint64_t b) {
    const uint64_t at = s.counter + b;
    return philox4x32({{static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32),
                        static_cast<uint32_t>(s.stream), static_cast<uint32_t>(s.stream >> 32)}},
                      {{static_cast<uint32_t>(s.seed), static_cast<uint32_t>(s.seed >> 32)}});
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
