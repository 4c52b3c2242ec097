// SPDX-License-Identifier: MIT
// 16-bit floats: every pattern there and back, and the rounding against a search for the nearest; cooperative
// groups.
#include <cmath>

#include "tests/simt/gpu.h"
#include "tests/simt/types.h"

namespace lily::testing {
namespace {

// Floats around the 16-bit numbers `all`: exact, in the middle of two, and a little to both sides of the
// middle.
std::vector<float> around(const std::vector<float>& all) {
    std::vector<float> result;
    for (size_t i = 0; i + 1 < all.size(); i += 7) {
        if (!std::isfinite(all[i]) || !std::isfinite(all[i + 1])) continue;
        const float middle = static_cast<float>((double(all[i]) + double(all[i + 1])) / 2);
        for (const float x :
             {all[i], middle, std::nextafterf(middle, INFINITY), std::nextafterf(middle, -INFINITY)})
            result.push_back(x);
    }
    return result;
}

// The nearest of the 16-bit numbers; of two, the one with the even pattern. all[p] belongs to the pattern p
// >= 0.
unsigned short nearest(const std::vector<float>& all, float x) {
    size_t low = 0, high = 0x7bff;
    while (!std::isfinite(all[high])) --high;
    while (low < high) {
        const size_t middle = (low + high + 1) / 2;
        if (all[middle] <= x)
            low = middle;
        else
            high = middle - 1;
    }
    if (all[low] == x) return static_cast<unsigned short>(low);
    const double below = double(x) - all[low], above = double(all[low + 1]) - x;
    if (below == above) return static_cast<unsigned short>(low + low % 2);
    return static_cast<unsigned short>(below < above ? low : low + 1);
}

}  // namespace

TEST_CASE("simt: half to float and back", "[simt][types]") {
    const FreshDevice device(simt::Xray::off);
    const Array<float> out(65536);
    REQUIRE(half_to_float({.grid = 256, .block = 256}, out) == cudaSuccess);
    const auto all = out.values();
    CHECK(all[0x3c00] == 1);
    CHECK(all[0x0001] == 0x1p-24f);
    CHECK(all[0x7bff] == 65504);
    CHECK(std::isinf(all[0xfc00]));
    CHECK(std::isnan(all[0x7e00]));
    const Array<unsigned short> back(65536);
    REQUIRE(float_to_half({.grid = 256, .block = 256}, out, back, 65536) == cudaSuccess);
    const auto patterns = back.values();
    for (size_t i = 0; i < 65536; ++i)
        if (!std::isnan(all[i])) REQUIRE(patterns[i] == i);
    const auto floats = around({all.begin(), all.begin() + 0x7c00});
    const Array<float> x(floats);
    const Array<unsigned short> rounded(floats.size());
    REQUIRE(float_to_half({.grid = 256, .block = 256}, x, rounded, static_cast<int>(floats.size())) ==
            cudaSuccess);
    const auto results = rounded.values();
    for (size_t i = 0; i < floats.size(); ++i) REQUIRE(results[i] == nearest(all, floats[i]));
}

TEST_CASE("simt: bfloat16 to float and back", "[simt][types]") {
    const FreshDevice device(simt::Xray::off);
    const Array<float> out(65536);
    REQUIRE(bfloat_to_float({.grid = 256, .block = 256}, out) == cudaSuccess);
    const auto all = out.values();
    CHECK(all[0x3f80] == 1);
    CHECK(std::isnan(all[0x7fc0]));
    const auto floats = around({all.begin(), all.begin() + 0x7f80});
    const Array<float> x(floats);
    const Array<unsigned short> rounded(floats.size());
    REQUIRE(float_to_bfloat({.grid = 256, .block = 256}, x, rounded, static_cast<int>(floats.size())) ==
            cudaSuccess);
    const auto results = rounded.values();
    for (size_t i = 0; i < floats.size(); ++i) {
        const auto low = static_cast<size_t>(__builtin_bit_cast(uint32_t, floats[i]) >> 16);
        const double below = double(floats[i]) - all[low], above = double(all[low + 1]) - floats[i];
        const size_t wanted =
            below == 0 ? low : (below == above ? low + low % 2 : (below < above ? low : low + 1));
        REQUIRE(results[i] == wanted);
    }
}

TEST_CASE("simt: arithmetic of half and bfloat16", "[simt][types]") {
    const FreshDevice device;
    const Array<float> out(8), sum(1);
    REQUIRE(half_arithmetic({}, out) == cudaSuccess);
    CHECK(out.values() == std::vector<float>{1.75f, 0.375f, 1.875f, 1, -1.5f, 1.5f, 2.5f, INFINITY});
    REQUIRE(bfloat_sum({.block = 32}, sum) == cudaSuccess);
    CHECK(sum.values()[0] == 496);
}

TEST_CASE("simt: tiles of a block", "[simt][types]") {
    const FreshDevice device;
    const Array<int> out(4 * 64);
    REQUIRE(tiles({.block = dim3(16, 4)}, out) == cudaSuccess);
    const auto values = out.values();
    for (int rank = 0; rank < 64; ++rank) {
        const int* mine = values.data() + 4 * rank;
        const int first = rank / 8 * 8;
        CHECK(std::vector<int>(mine, mine + 4) ==
              std::vector<int>{rank % 8, first + 3, 8 * first + 28, 0xaa});
    }
    CHECK(simt::last_report() == "");
}

}  // namespace lily::testing
