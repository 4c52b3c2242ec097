// SPDX-License-Identifier: MIT
#include "framework/io/image_ops.h"

#include <cmath>
#include <random>

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

Image noise(int width, int height, int channels, unsigned seed = 1) {
    Image image(width, height, channels);
    std::mt19937 random(seed);
    for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
    return image;
}

double luminance(const uint8_t* p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

TEST_CASE("fit_longest_side", "[io][image]") {
    CHECK(fit_longest_side(640, 427, 512) == std::pair(512, 342));
    CHECK(fit_longest_side(100, 400, 800) == std::pair(200, 800));
    CHECK(fit_longest_side(3000, 1, 100) == std::pair(100, 1));
    CHECK(fit_longest_side(7, 5, 0) == std::pair(7, 5));
    CHECK(error_of([] { fit_longest_side(7, 5, -1); }) != "(no error)");
}

TEST_CASE("resize keeps flat colours flat at any ratio", "[io][image]") {
    const int sizes[][4] = {{64, 48, 7, 31}, {1, 1, 50, 3}, {200, 3, 1, 1}, {5, 5, 6, 4}, {3, 400, 300, 2}};
    for (const auto& [w, h, to_w, to_h] : sizes) {
        for (const int channels : {1, 2, 3, 4}) {
            Image flat(w, h, channels, 100);
            const Image out = resize_image(flat, to_w, to_h);
            CHECK(out.width == to_w);
            CHECK(out.height == to_h);
            for (const uint8_t value : out.pixels) REQUIRE(std::abs(value - 100) <= 1);
        }
    }
    CHECK(error_of([] { resize_image(Image(2, 2, 3), 0, 5); }) ==
          "[resize_image] cannot resize to 0 x 5 pixels");
    CHECK(error_of([] { resize_image(Image(2, 2, 3), 100'000, 100'000); }).find("too many") !=
          std::string::npos);
}

TEST_CASE("shrinking is antialiased and averages light", "[io][image]") {
    Image check(64, 64, 1);
    for (int y = 0; y < 64; ++y)
        for (int x = 0; x < 64; ++x) *check.at(y, x) = (x + y) % 2 ? 255 : 0;
    // Half the light of white: sRGB 188, all over, where nearest neighbour would be 0 or 255.
    for (const uint8_t value : resize_image(check, 16, 16).pixels) REQUIRE(std::abs(value - 188) <= 6);
}

TEST_CASE("resize does not let transparent pixels bleed", "[io][image]") {
    Image image(32, 32, 4);  // left half opaque red, right half transparent green
    for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) {
            uint8_t* p = image.at(y, x);
            p[x < 16 ? 0 : 1] = 255;
            p[3] = x < 16 ? 255 : 0;
        }
    const Image out = resize_image(image, 5, 5);
    for (int x = 0; x < 5; ++x)
        if (out.at(2, x)[3] > 8) CHECK(out.at(2, x)[1] <= 8);
    CHECK(out.at(2, 0)[3] == 255);
    CHECK(out.at(2, 4)[3] == 0);
}

TEST_CASE("alpha apart and together", "[io][image]") {
    for (const int channels : {2, 4}) {
        const Image image = noise(9, 5, channels);
        const auto [colour, alpha] = split_alpha(image);
        CHECK(colour.channels == channels - 1);
        CHECK(alpha.channels == 1);
        CHECK(attach_alpha(colour, alpha).pixels == image.pixels);
    }
    const auto [colour, none] = split_alpha(noise(9, 5, 3));
    CHECK(none.width == 0);
    CHECK(attach_alpha(colour, none).channels == 3);
    const Image resized = attach_alpha(Image(20, 10, 3), Image(4, 2, 1, 77));
    CHECK(resized.channels == 4);
    CHECK(std::abs(resized.at(5, 5)[3] - 77) <= 1);
    CHECK(error_of([] { attach_alpha(Image(2, 2, 4), Image(2, 2, 1)); }) != "(no error)");
}

TEST_CASE("grey_to_rgb and on_white", "[io][image]") {
    Image grey(1, 1, 2);
    grey.pixels = {50, 60};
    CHECK(grey_to_rgb(grey).pixels == std::vector<uint8_t>{50, 50, 50, 60});
    Image half(2, 1, 4);
    half.pixels = {0, 100, 255, 51, 1, 2, 3, 255};
    CHECK(on_white(half).pixels == std::vector<uint8_t>{204, 224, 255, 1, 2, 3});
    CHECK(on_white(noise(3, 3, 3)).pixels == noise(3, 3, 3).pixels);
}

TEST_CASE("preserve_color takes luminance from the result and hue from the content", "[io][image]") {
    const Image content = noise(40, 30, 3, 1);
    const Image result = noise(40, 30, 4, 2);
    const Image out = preserve_color(content, result);
    REQUIRE(out.channels == 4);
    double worst_luminance = 0;
    double worst_hue = 0;  // chroma of content and output must point the same way
    for (int y = 0; y < 30; ++y) {
        for (int x = 0; x < 40; ++x) {
            const uint8_t* o = out.at(y, x);
            const uint8_t* c = content.at(y, x);
            worst_luminance = std::max(worst_luminance, std::abs(luminance(o) - luminance(result.at(y, x))));
            CHECK(o[3] == result.at(y, x)[3]);
            double dot = 0, norm_o = 0, norm_c = 0;
            for (int k = 0; k < 3; ++k) {
                const double a = o[k] - luminance(o);
                const double b = c[k] - luminance(c);
                dot += a * b, norm_o += a * a, norm_c += b * b;
            }
            if (norm_o > 400 && norm_c > 400)
                worst_hue = std::max(worst_hue, 1 - dot / std::sqrt(norm_o * norm_c));
        }
    }
    CHECK(worst_luminance <= 0.51);
    CHECK(worst_hue <= 0.01);
    CHECK(preserve_color(content, content).pixels == content.pixels);
    // A grey content gives a grey result; sizes may differ.
    const Image grey = preserve_color(Image(7, 7, 1, 90), noise(40, 30, 3));
    for (size_t i = 0; i < grey.pixels.size(); i += 3) REQUIRE(grey.pixels[i] == grey.pixels[i + 2]);
}

TEST_CASE("side_by_side", "[io][image]") {
    const Image sheet = side_by_side({Image(20, 40, 1, 10), Image(30, 10, 4, 0), Image(8, 20, 3, 200)}, 5);
    CHECK(sheet.height == 20);
    CHECK(sheet.width == 10 + 5 + 60 + 5 + 8);
    CHECK(sheet.channels == 3);
    CHECK(sheet.at(10, 5)[1] == 10);
    CHECK(sheet.at(10, 12)[0] == 255);  // gap
    CHECK(sheet.at(10, 40)[2] == 255);  // transparent on white
    CHECK(sheet.at(10, 84)[0] == 200);
    CHECK(error_of([] { side_by_side({}, 5); }) != "(no error)");
    CHECK(error_of([] { side_by_side({Image(60000, 1, 1), Image(1, 60000, 1)}, 5); }) != "(no error)");
}

}  // namespace
}  // namespace lily::io
