// SPDX-License-Identifier: MIT
// Replays what the fuzzers found: every file is accepted or refused with an Error, nothing else.
#include <cstdlib>

#include "tests/framework/io/io_test.h"
#include "tests/fuzz/targets.h"

namespace lily::io {
namespace {

template <class Target>
void replay(const std::string& folder, Target target) {
    const auto corpus = std::filesystem::path(LILY_SOURCE_DIR "/tests/fuzz/corpus") / folder;
    int accepted = 0;
    int refused = 0;
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
        INFO(entry.path());
        const std::vector<std::byte> bytes = read_file(entry.path().string());
        ++(target(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) ? accepted : refused);
    }
    // Valid pictures and files as well as hostile ones: a corpus of only one kind would show nothing.
    CHECK(accepted >= 4);
    CHECK(refused >= 1);
}

TEST_CASE("the corpus of the image fuzzer", "[io][image]") { replay("image", fuzz_image); }
TEST_CASE("the corpus of the safetensors fuzzer", "[io][safetensors]") {
    replay("safetensors", fuzz_safetensors);
}
TEST_CASE("the corpus of the captions' fuzzer", "[data]") { replay("caption", fuzz_caption); }
TEST_CASE("the corpus of the .npy fuzzer", "[io]") { replay("npy", fuzz_npy); }
TEST_CASE("the corpus of the IDX fuzzer", "[data][idx]") { replay("idx", fuzz_idx); }
TEST_CASE("the corpus of the fuzzer of CLIP's tokenizer", "[clip]") {
    replay("clip_tokens", fuzz_clip_tokens);
}

}  // namespace
}  // namespace lily::io
