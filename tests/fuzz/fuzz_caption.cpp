// SPDX-License-Identifier: MIT
// libFuzzer over the caption of a picture: fuzz_caption tests/fuzz/corpus/caption
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_caption(data, size);
    return 0;
}
