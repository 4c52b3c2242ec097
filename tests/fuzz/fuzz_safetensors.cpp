// SPDX-License-Identifier: MIT
// libFuzzer over the safetensors parser: fuzz_safetensors tests/fuzz/corpus/safetensors
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_safetensors(data, size);
    return 0;
}
