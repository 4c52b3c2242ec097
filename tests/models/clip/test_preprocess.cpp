// SPDX-License-Identifier: MIT
// The reference's pixels are in tests/golden/clip_pixels.json (make_clip_pixels.py).
#include "models/clip/preprocess.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/error.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using models::clip_pixels;

std::vector<uint8_t> from_base64(const std::string& text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<uint8_t> bytes;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') break;
        bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
        count += 6;
        if (count >= 8) bytes.push_back(static_cast<uint8_t>(bits >> (count -= 8)));
    }
    return bytes;
}

io::Raster plain(int width, int height, int value = 7) {
    io::Raster raster;
    raster.width = width, raster.height = height;
    raster.samples8.assign(static_cast<size_t>(width) * static_cast<size_t>(height) * 3,
                           static_cast<uint8_t>(value));
    return raster;
}

}  // namespace

TEST_CASE("CLIP's pictures have the pixels of OpenAI's transform with Pillow", "[clip]") {
    const auto golden =
        nlohmann::json::parse(std::ifstream(LILY_SOURCE_DIR "/tests/golden/clip_pixels.json"));
    REQUIRE(golden.at("cases").size() >= 40);
    for (const auto& item : golden.at("cases")) {
        const std::string name = item.at("name");
        INFO(name << ", size " << item.at("size"));
#ifndef LILY_HAS_WEBP
        if (name.ends_with(".webp")) continue;
#endif
#ifndef LILY_HAS_TIFF
        if (name.ends_with(".tif")) continue;
#endif
        const std::vector<uint8_t> file = from_base64(item.at("file"));
        const io::Raster picture =
            io::decode_raster(std::as_bytes(std::span(file)), name, {.ignore_colour_keys = true});
        CHECK(clip_pixels(picture, item.at("size")) == from_base64(item.at("pixels")));
    }
}

TEST_CASE("CLIP's pictures: the margin's half is rounded to even", "[clip]") {
    for (const auto& [width, left] : {std::pair(9, 0), {10, 1}, {11, 2}, {12, 2}, {13, 2}, {15, 4}}) {
        io::Raster picture = plain(width, 8);
        for (int y = 0; y < 8; ++y)
            for (int x = 0; x < width; ++x)
                picture.samples8[static_cast<size_t>((y * width + x) * 3)] = static_cast<uint8_t>(x);
        CHECK(int{clip_pixels(picture, 8)[0]} == left);
    }
}

TEST_CASE("CLIP's pictures of one colour keep it at every size", "[clip]") {
    for (const auto& [width, height] : {std::pair(1, 1), {1, 300}, {300, 1}, {1000, 7}, {225, 224}})
        for (const int value : {0, 1, 127, 255}) {
            const auto pixels = clip_pixels(plain(width, height, value), 32);
            CHECK(std::all_of(pixels.begin(), pixels.end(), [&](uint8_t v) { return v == value; }));
        }
}

TEST_CASE("CLIP's pictures are normalised as by torchvision, in f32", "[clip]") {
    std::vector<uint8_t> pixels(3 * 256);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
    std::vector<float> x(pixels.size(), NAN);
    models::clip_normalize(pixels, x.data());
    // torchvision 0.29.2: Normalize(mean, std)(torch.tensor(v) / 255)
    CHECK(x[0] == -1.7922625541687012F);
    CHECK(x[128] == 0.07633614540100098F);
    CHECK(x[255] == 1.9303361177444458F);
    CHECK(x[256 + 1] == -1.7370892763137817F);
    CHECK(x[512 + 200] == 1.3637934923171997F);
    CHECK(x[767] == 2.1458969116210938F);
}

TEST_CASE("CLIP's pictures: sizes that make no picture are refused", "[clip]") {
    CHECK_THROWS_WITH(clip_pixels(plain(4, 4), 0),
                      ContainsSubstring("expected pictures of 1 to 8192 pixels a side, got 0"));
    CHECK_THROWS_WITH(clip_pixels(plain(1, 100'000), 8192),
                      ContainsSubstring("1 x 100000 pixels is too long"));
    CHECK_THROWS_WITH(models::load_clip_pixels("/no/such.png", 224), ContainsSubstring("/no/such.png"));
}

}  // namespace lily::testing
