// SPDX-License-Identifier: MIT
// libFuzzer over the IDX parser, plain and packed: fuzz_idx tests/fuzz/corpus/idx
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_idx(data, size);
    return 0;
}
