// SPDX-License-Identifier: MIT
// A stand-in for libFuzzer's main: replays the inputs of a corpus directory, so that every compiler and every
// test run checks what fuzzing once found. Each input is also replayed cut short, as a broken download would
// leave it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::vector<uint8_t> read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A copy of its own size on the heap, so that the address sanitizer sees a read past the end.
void replay(const std::vector<uint8_t>& input, size_t size) {
    const std::vector<uint8_t> cut(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(cut.data(), cut.size());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s <corpus directory>\n", argv[0]);
        return 2;
    }
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
        std::printf("%s\n", path.c_str());
        std::fflush(stdout);  // a crash then comes right after the name of its input
        const std::vector<uint8_t> input = read(path);
        for (const size_t sixteenths : {16, 15, 12, 8, 4, 1, 0})
            replay(input, input.size() * sixteenths / 16);
    }
    std::printf("%zu inputs replayed\n", paths.size());
    return paths.empty() ? 1 : 0;  // an empty corpus is a mistake
}
