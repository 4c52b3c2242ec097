// SPDX-License-Identifier: MIT
#include "framework/io/image/reduce.h"

#include <zlib.h>

#include <cmath>
#include <cstdlib>

#include "framework/io/image_ops.h"
#include "tests/framework/io/image/jpeg_file.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

double light(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }

template <class T>
std::vector<T> noise(size_t n) {
    std::vector<T> values(n);
    uint32_t state = 7;
    for (T& value : values) value = static_cast<T>((state = state * 1664525 + 1013904223) >> 13);
    return values;
}

template <class T>
void check_means(ColourModel model, bool has_alpha) {
    constexpr int kWidth = 10;
    constexpr int kHeight = 7;
    constexpr int kBy = 4;
    Raster raster;
    raster.model = model;
    raster.has_alpha = has_alpha;
    raster.bits = 8 * sizeof(T);
    const int samples = raster.samples();
    const int colours = colour_samples(model);
    std::vector<T> rows = noise<T>(static_cast<size_t>(kWidth * kHeight * samples));
    const auto at = [&](int y, int x, int c) -> T& {
        return rows[static_cast<size_t>((y * kWidth + x) * samples + c)];
    };
    if (has_alpha)  // one square of nothing
        for (int y = 0; y < kBy; ++y)
            for (int x = 0; x < kBy; ++x) at(y, x, colours) = 0;

    RowReducer reducer(raster, kWidth, kHeight, kBy);
    for (int y = 0; y < kHeight; ++y) reducer.add(&at(y, 0, 0));
    CHECK(raster.width == 3);
    CHECK(raster.height == 2);
    CHECK(raster.exact_width == 2.5);
    CHECK(raster.exact_height == 1.75);
    CHECK(raster.full_width == kWidth);
    CHECK(raster.full_height == kHeight);
    REQUIRE(raster.samples8.size() + raster.samples16.size() == static_cast<size_t>(6 * samples));

    const double full = (1 << raster.bits) - 1;
    for (int Y = 0; Y < 2; ++Y)
        for (int X = 0; X < 3; ++X)
            for (int c = 0; c < samples; ++c) {
                double sum = 0;
                double weight = 0;
                double count = 0;
                for (int y = Y * kBy; y < std::min(Y * kBy + kBy, kHeight); ++y)
                    for (int x = X * kBy; x < std::min(X * kBy + kBy, kWidth); ++x) {
                        const double alpha = has_alpha && c < colours ? at(y, x, colours) : 1;
                        const double value = at(y, x, c) / full;
                        sum += alpha * (c < colours && model != ColourModel::cmyk ? light(value) : value);
                        weight += alpha;
                        count += 1;
                    }
                const auto i = static_cast<size_t>((Y * 3 + X) * samples + c);
                const double got = (sizeof(T) == 2 ? raster.samples16[i] : raster.samples8[i]) / full;
                if (weight == 0) {
                    CHECK(got == 0);
                    continue;
                }
                const double as_light = c < colours && model != ColourModel::cmyk ? light(got) : got;
                // Half a step of the stored value, the curve being at most 2.3 steep.
                CHECK(std::abs(as_light - sum / weight) <= 0.5 / full * 2.3 + 1e-6);
            }
}

TEST_CASE("squares of pixels are averaged in light, weighted by alpha, inks as they are stored",
          "[io][image]") {
    for (const bool has_alpha : {false, true}) {
        for (const ColourModel model : {ColourModel::grey, ColourModel::rgb, ColourModel::cmyk}) {
            check_means<uint8_t>(model, has_alpha);
            check_means<uint16_t>(model, has_alpha);
        }
    }
}

// Smooth, with an edge that shows whether it moved.
Image photo(int width, int height, int channels) {
    Image image(width, height, channels);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < channels; ++c) {
                const double wave = std::sin(x * 0.02 * (c + 1)) * std::cos(y * 0.03);
                image.at(y, x)[c] = static_cast<uint8_t>(x > width * 9 / 10 ? 230 - 40 * c : 90 + 60 * wave);
            }
    return image;
}

double mean_difference(const Image& a, const Image& b) {
    REQUIRE(a.pixels.size() == b.pixels.size());
    double sum = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
    return sum / static_cast<double>(a.pixels.size());
}

// The longer side is to be 100: as the whole picture resized, and from one that was reduced while reading.
void check_like_full(const std::string& file, const std::string& name) {
    const auto read = [&](int64_t max_pixels) {
        return decode_reduced_image(bytes_of(file), name, {.max_pixels = max_pixels, .longest_side = 100});
    };
    const ReducedImage full = read(1 << 20);
    const ReducedImage reduced = read(100'000);
    CHECK(reduced.width == full.width);
    CHECK(reduced.height == full.height);
    CHECK(full.image.width == full.width);
    CHECK(std::max(reduced.image.width, reduced.image.height) == 201);  // of 1001, by 5
    const auto [width, height] = fit_longest_side(full.width, full.height, 100);
    const Image small = resize_image(reduced, width, height);
    CHECK(mean_difference(small, resize_image(full, width, height)) <= 0.5);
    // What the box is for: taken as a picture of whole pixels, the edge moves.
    CHECK(mean_difference(resize_image(reduced.image, width, height), small) > 0.1);
}

TEST_CASE("a picture reduced as it is read, then resized, is like the whole one resized", "[io][image]") {
    const ScratchFolder dir;
    const Image image = photo(1001, 668, 3);
    const std::string plain = bytes::jpeg(image);
    for (int orientation = 1; orientation <= 8; ++orientation) {
        INFO("orientation " << orientation);
        check_like_full(plain.substr(0, 2) + bytes::exif_segment(orientation, true) + plain.substr(2),
                        "x.jpg");
    }
    for (const bytes::JpegKind& kind : {bytes::JpegKind{.h = 2, .v = 1},
                                        {.h = 2, .v = 2},
                                        {.h = 1, .v = 2},
                                        {.h = 4, .v = 1},
                                        {.progressive = true}})
        check_like_full(bytes::jpeg(image, kind), "x.jpg");
    check_like_full(bytes::jpeg(photo(1001, 668, 1)), "x.jpg");
    check_like_full(bytes::jpeg(photo(1001, 668, 4)), "x.jpg");
    for (const int channels : {1, 2, 3, 4}) {
        save_image(dir / "x.png", photo(1001, 668, channels));
        check_like_full(text_of(dir / "x.png"), "x.png");
    }
}

TEST_CASE("what is too large to be reduced is refused from its header", "[io][image]") {
    const auto refusal = [](const std::string& file, ImageOptions options) {
        return error_of([&] { decode_reduced_image(bytes_of(file), "x", options); });
    };
    const std::string row("\0\1", 2);
    CHECK(refusal(bytes::png(20000, 20000, 8, 0, row), {.longest_side = 64}) ==
          "'x' is too large: 20000 x 20000 pixels, at most 268 million are read");
    CHECK(refusal(bytes::png(16384, 16384, 8, 0, row), {}) ==
          "'x' is too large: 16384 x 16384 pixels, at most 100 million are read");
    CHECK(refusal(bytes::png(16384, 10000, 8, 0, row), {.longest_side = 4097}) ==
          "'x' is too large to be read in full: 16384 x 10000 pixels, above 100 million a picture is only "
          "read to be "
          "shrunk, to a longer side of at most 4096 here");
    CHECK(refusal(bytes::png(16384, 10000, 8, 0, row), {.longest_side = 4096}).find("is damaged") !=
          std::string::npos);
    std::string interlaced = bytes::png(16384, 10000, 8, 0, row);
    std::string header = interlaced.substr(16, 13);
    header.back() = '\1';
    interlaced.replace(8, 25, bytes::png_chunk("IHDR", header));
    CHECK(refusal(interlaced, {.longest_side = 64}) ==
          "'x' is too large for an interlaced PNG: 16384 x 10000 pixels; save it again without interlacing");

    // Three components, a scan for all DC coefficients, one for the other coefficients of each; no data.
    std::string progressive = "\xFF\xD8\xFF\xC2" + bytes::big(17, 2) + "\x08" + bytes::big(16384, 2) +
                              bytes::big(16384, 2) + "\x03";
    for (char i = 1; i <= 3; ++i) progressive += std::string{i, '\x11', '\0'};
    progressive += "\xFF\xDA" + bytes::big(12, 2) + std::string("\3\1\0\2\0\3\0\0\0\0", 10);
    for (char i = 1; i <= 3; ++i)
        progressive += "\xFF\xDA" + bytes::big(8, 2) + std::string{'\1', i, '\0', '\1', '?', '\0'};
    CHECK(refusal(progressive + "\xFF\xD9", {.longest_side = 64}) ==
          "'x' is too large for a progressive JPEG: 16384 x 16384 pixels need 1610 MB before the first is "
          "known; save "
          "it again as baseline JPEG");
}

// A line of /proc/self/status in MB; 0 where the system does not say.
double megabytes(const std::string& what) {
    const std::string status = text_of("/proc/self/status");
    const size_t at = status.find(what + ":");
    return at == std::string::npos ? 0 : std::atof(status.c_str() + at + what.size() + 1) / 1024;
}

// Rows of 30, then 128, as a grey PNG.
std::string two_greys(int side) {
    std::string rows(static_cast<size_t>(side) * static_cast<size_t>(side + 1), '\x80');
    for (size_t y = 0; y < static_cast<size_t>(side); ++y) {
        const size_t first = y * static_cast<size_t>(side + 1);
        rows[first] = '\0';  // no filter
        std::fill_n(rows.begin() + static_cast<std::ptrdiff_t>(first) + 1, side / 2, '\x1E');
    }
    std::string packed(compressBound(rows.size()), '\0');
    uLongf size = packed.size();
    compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
              rows.size(), 1);
    return bytes::png_of_packed(static_cast<uint32_t>(side), static_cast<uint32_t>(side), 8, 0,
                                packed.substr(0, size));
}

TEST_CASE("a JPEG and a PNG of over 100 megapixels take the memory of what is wanted", "[io][image]") {
    const ScratchFolder dir;
    constexpr int kSide = 10'001;
    {
        Image image(kSide, kSide, 1, 128);
        for (int y = 0; y < kSide; ++y) std::fill_n(image.at(y, 0), kSide / 2, 30);
        write_file_atomically(dir / "x.jpg", bytes::jpeg(image));
    }
    write_file_atomically(dir / "x.png", two_greys(kSide));
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak is what is resident now
    if (megabytes("VmHWM") == 0 || megabytes("VmHWM") > megabytes("VmRSS") + 5)
        SKIP("this system does not reset the peak of a process's memory");
    for (const char* name : {"x.jpg", "x.png"}) {
        std::ofstream("/proc/self/clear_refs") << "5";
        const double before = megabytes("VmHWM");
        const ReducedImage read = load_reduced_image(dir / name, {.longest_side = 64});
        CHECK(read.width == kSide);
        CHECK(read.image.width == 129);  // by 78
        CHECK(std::abs(read.box.right - kSide / 78.0) < 1e-9);
        CHECK(read.image.at(64, 20)[0] == 30);
        CHECK(read.image.at(64, 100)[0] == 128);
        INFO(name << ": " << before << " MB before, " << megabytes("VmHWM") << " MB at most");
        CHECK(megabytes("VmHWM") - before < 50);
    }
}

}  // namespace
}  // namespace lily::io
