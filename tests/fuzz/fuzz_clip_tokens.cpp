// SPDX-License-Identifier: MIT
// libFuzzer over CLIP's vocabulary and tokenizer: fuzz_clip_tokens tests/fuzz/corpus/clip_tokens
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    lily::io::fuzz_clip_tokens(data, size);
    return 0;
}
