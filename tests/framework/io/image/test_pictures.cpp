// SPDX-License-Identifier: MIT
// Small pictures of kinds that are easily read wrongly, each with what is right: ../shared/faults/pictures.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/io/image_ops.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Json = nlohmann::json;

const std::string kFolder = LILY_SOURCE_DIR "/../shared/faults/pictures/";

// Top left, top right, bottom left, bottom right: the mean of each channel.
std::vector<std::vector<double>> quadrant_means(const Image& image) {
    std::vector<std::vector<double>> means;
    for (const int quadrant : {0, 1, 2, 3}) {
        const int left = quadrant % 2 == 0 ? 0 : image.width / 2;
        const int right = quadrant % 2 == 0 ? image.width / 2 : image.width;
        const int top = quadrant < 2 ? 0 : image.height / 2;
        const int bottom = quadrant < 2 ? image.height / 2 : image.height;
        std::vector<double> mean(static_cast<size_t>(image.channels), 0.0);
        for (int y = top; y < bottom; ++y)
            for (int x = left; x < right; ++x)
                for (size_t c = 0; c < mean.size(); ++c) mean[c] += image.at(y, x)[c];
        for (double& value : mean) value /= static_cast<double>((right - left) * (bottom - top));
        means.push_back(mean);
    }
    return means;
}

void check_quadrants(const Image& image, const Json& quadrants, double tolerance) {
    const auto means = quadrant_means(image);
    for (size_t q = 0; q < 4; ++q)
        for (size_t c = 0; c < means[q].size(); ++c) {
            const double expected =
                quadrants[q].is_array() ? quadrants[q][c].get<double>() : quadrants[q].get<double>();
            INFO("quadrant " << q << " channel " << c << ": " << means[q][c] << ", expected " << expected);
            CHECK(std::abs(means[q][c] - expected) <= tolerance + 0.01);  // the file has two digits
        }
}

// [x, y, r, g, b(, alpha)]
void check_pixels(const Image& image, const Json& pixels, int tolerance) {
    for (const Json& pixel : pixels) {
        INFO(pixel.dump());
        const uint8_t* at = image.at(pixel[1].get<int>(), pixel[0].get<int>());
        const bool clear = pixel.size() == 6 && pixel[5] == 0;  // then its colour is anybody's
        for (size_t c = clear ? 3 : 0; c + 2 < pixel.size(); ++c)
            CHECK(std::abs(at[c] - pixel[c + 2].get<int>()) <= tolerance);
    }
}

void check_picture(const std::string& path, const Json& expected) {
    const Image image = grey_to_rgb(load_image(path));
    const auto tolerance = expected["tolerance"].get<int>();
    CHECK(image.width == expected["size"][0].get<int>());
    CHECK(image.height == expected["size"][1].get<int>());
    const bool has_alpha = expected.contains("alpha_quadrants");
    CHECK(image.has_alpha() == has_alpha);
    check_quadrants(on_white(image), expected[has_alpha ? "quadrants_on_white" : "quadrants"], tolerance);
    if (has_alpha) check_quadrants(split_alpha(image).second, expected["alpha_quadrants"], tolerance);
    check_pixels(image, expected.value("pixels", Json::array()), tolerance);
}

// The same picture when only a small one is wanted: read in full, and reduced as it is read. What the file
// says of it is of another resize than ours, which averages light: one must be like the other, and colours
// must not mix.
void check_reduced(const std::string& path, const Json& expected) {
    const Json& reduced = expected["reduced"];
    const Json sides = reduced.contains("size") ? Json{reduced["size"][0]} : reduced["longest_sides"];
    const auto tolerance = reduced["tolerance"].get<int>();
    for (const Json& side : sides) {
        const auto longest = side.get<int>();
        INFO("longest side " << longest);
        const auto read = [&](int64_t max_pixels) {
            const ReducedImage image =
                load_reduced_image(path, {.max_pixels = max_pixels, .longest_side = longest});
            const auto [width, height] = fit_longest_side(image.width, image.height, longest);
            return std::pair(image.image.width, grey_to_rgb(resize_image(image, width, height)));
        };
        const auto [full_width, in_full] = read(1 << 20);
        CHECK(full_width == expected["size"][0].get<int>());
        if (longest * 4 > full_width) {
            CHECK(error_of([&] { read(1 << 16); }).find("is too large to be read in full") !=
                  std::string::npos);
            continue;
        }
        const auto [width, small] = read(1 << 16);
        CHECK(width < full_width);
        CHECK(width >= 2 * longest);
        const auto means = quadrant_means(in_full);
        for (size_t q = 0; q < 4; ++q)
            for (size_t c = 0; c < 3; ++c)
                CHECK(std::abs(quadrant_means(small)[q][c] - means[q][c]) <= std::min(tolerance, 1));
        for (const Image* image : {&in_full, &small})
            for (const Json& pixel : reduced.value("pixels", Json::array())) {
                const uint8_t* at = image->at(pixel[1].get<int>(), pixel[0].get<int>());
                const int sign = pixel[2] > pixel[4] ? 1 : -1;  // red or blue
                CHECK(sign * (at[0] - at[2]) > tolerance);
            }
    }
}

TEST_CASE("pictures that are easily read wrongly", "[io][image]") {
    if (!std::filesystem::exists(kFolder)) SKIP("there is no ../shared/faults/pictures");
    const Json pictures = Json::parse(text_of(kFolder + "expected.json"));
    std::string not_read;
    for (const auto& [name, expected] : pictures.items()) {
        INFO(name << ": " << expected["why"].get<std::string>());
        const std::string error = error_of([&, &n = name] { load_image(kFolder + n); });
        if (error.find("this build was made without") != std::string::npos) {
            not_read += " " + name;
            continue;
        }
        if (error == "(no error)") {
            check_picture(kFolder + name, expected);
            if (expected.contains("reduced")) check_reduced(kFolder + name, expected);
        } else {
            CHECK(expected.contains("may_refuse"));
            CHECK(error.find("cannot be read: ") != std::string::npos);
        }
    }
    if (!not_read.empty()) SKIP("formats that this build does not read:" + not_read);
}

}  // namespace
}  // namespace lily::io
