// SPDX-License-Identifier: MIT
// libFuzzer over the parser of NumPy's files: fuzz_npy tests/fuzz/corpus/npy
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_npy(data, size);
    return 0;
}
