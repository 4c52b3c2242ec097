// SPDX-License-Identifier: MIT
// libFuzzer over decode_image: fuzz_image tests/fuzz/corpus/image
#include <cstring>

#include "tests/fuzz/targets.h"

// Weak: libFuzzer has it, the replay program does not and never mutates.
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

// Mutates, then sets the checksums of PNG chunks right: behind them is where the decoder starts.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (size < 8 || std::memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0 || seed % 16 == 0) return size;
    for (size_t at = 8; at + 12 <= size;) {
        const size_t length = size_t{data[at]} << 24 | size_t{data[at + 1]} << 16 |
                              size_t{data[at + 2]} << 8 | size_t{data[at + 3]};
        if (length > size - at - 12) break;
        uint32_t crc = ~0U;
        for (size_t i = at + 4; i < at + 8 + length; ++i) {
            crc ^= data[i];
            for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320U : crc >> 1;
        }
        at += 12 + length;
        for (size_t i = 0; i < 4; ++i) data[at - 1 - i] = static_cast<uint8_t>(~crc >> (8 * i));
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_image(data, size);
    return 0;
}
