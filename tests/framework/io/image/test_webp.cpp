// SPDX-License-Identifier: MIT
#include "framework/io/image/webp.h"

#include "framework/io/image/color_profile.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

#ifdef LILY_HAS_WEBP
#include <webp/encode.h>
#endif

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

#ifdef LILY_HAS_WEBP

constexpr int kWidth = 24, kHeight = 16;

// RGBA: red runs to the right, green down, blue stays; alpha as asked.
std::vector<uint8_t> picture(bool with_alpha) {
    std::vector<uint8_t> rgba;
    for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x)
            for (const int v : {x * 10, y * 15, 60, with_alpha ? (x * 11) % 256 : 255})
                rgba.push_back(static_cast<uint8_t>(v));
    return rgba;
}

std::string taken(uint8_t* encoded, size_t size) {
    REQUIRE(size > 0);
    std::string file(reinterpret_cast<const char*>(encoded), size);
    WebPFree(encoded);
    return file;
}

std::string lossless(const std::vector<uint8_t>& rgba, int width = kWidth, int height = kHeight) {
    uint8_t* out = nullptr;
    const size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, width * 4, &out);
    return taken(out, size);
}

std::string lossy(const std::vector<uint8_t>& rgba, float quality) {
    uint8_t* out = nullptr;
    const size_t size = WebPEncodeRGBA(rgba.data(), kWidth, kHeight, kWidth * 4, quality, &out);
    return taken(out, size);
}

std::string chunk(const std::string& letters, const std::string& data) {
    return letters + bytes::little(data.size(), 4) + data + std::string(data.size() % 2, '\0');
}

std::string riff(const std::string& chunks) {
    return "RIFF" + bytes::little(chunks.size() + 4, 4) + "WEBP" + chunks;
}

// The extended header. Flags: 2 animation, 4 XMP, 8 EXIF, 16 alpha, 32 ICC.
std::string extended(int flags, int width, int height) {
    return chunk("VP8X", bytes::little(static_cast<uint64_t>(flags), 4) +
                             bytes::little(static_cast<uint64_t>(width - 1), 3) +
                             bytes::little(static_cast<uint64_t>(height - 1), 3));
}

std::string chunks_of(const std::string& file) { return file.substr(12); }

// A frame of 8 x 8, whole, at twice the numbers of `left` and `top`, for 100 ms.
std::string frame(int left, int top, const std::string& file) {
    return chunk("ANMF", bytes::little(static_cast<uint64_t>(left), 3) +
                             bytes::little(static_cast<uint64_t>(top), 3) + bytes::little(7, 3) +
                             bytes::little(7, 3) + bytes::little(100, 3) + std::string(1, '\0') +
                             chunks_of(file));
}

Image decode(const std::string& file, std::vector<std::string>* remarks = nullptr) {
    return decode_image(bytes_of(file), "x.webp", {.remarks = remarks});
}

TEST_CASE("WebP: lossless is exact, lossy is near, alpha is straight", "[io][image][webp]") {
    for (const bool with_alpha : {false, true}) {
        const std::vector<uint8_t> rgba = picture(with_alpha);
        const Image exact = decode(lossless(rgba));
        const Image near = decode(lossy(rgba, 95));
        for (const Image* image : {&exact, &near}) {
            REQUIRE(image->width == kWidth);
            REQUIRE(image->height == kHeight);
            REQUIRE(image->channels == (with_alpha ? 4 : 3));
        }
        int worst = 0;
        for (size_t i = 0; i < rgba.size() / 4; ++i)
            for (size_t k = 0; k < (with_alpha ? 4 : 3); ++k) {
                const size_t at = i * static_cast<size_t>(exact.channels) + k;
                if (k == 3 || rgba[4 * i + 3] > 0) {
                    REQUIRE(exact.pixels[at] == rgba[4 * i + k]);
                    worst = std::max(worst, std::abs(near.pixels[at] - rgba[4 * i + k]));
                }
            }
        CHECK(worst <= 40);  // colour of half the resolution
        CHECK(worst > 0);
    }
}

TEST_CASE("WebP: the profile and the orientation stand in chunks", "[io][image][webp]") {
    const std::string plain = lossless(picture(false));
    const std::vector<std::byte> adobe =
        profile_of(ColourModel::rgb, 563.0 / 256, kAdobeRgbPrimaries, "wide");
    const std::string profile(reinterpret_cast<const char*>(adobe.data()), adobe.size());
    const std::string exif = bytes::exif_segment(6, true).substr(10);
    std::vector<std::string> remarks;
    const Image image = decode(riff(extended(32 | 8, kWidth, kHeight) + chunk("ICCP", profile) +
                                    chunks_of(plain) + chunk("EXIF", exif)),
                               &remarks);
    CHECK(image.width == kHeight);
    CHECK(image.height == kWidth);
    CHECK(remarks == std::vector<std::string>{"'x.webp': converted from its colour profile 'wide' to sRGB"});
    // Stored at (y, x) = (4, 20): (200, 60, 60), shown at row 20, from the right 4.
    const uint8_t* p = image.at(20, kHeight - 1 - 4);
    CHECK(std::abs(p[0] - 231) <= 1);
    CHECK(std::abs(p[1] - 57) <= 1);
    CHECK(std::abs(p[2] - 57) <= 1);

    for (int orientation = 1; orientation <= 8; ++orientation) {
        for (const bool with_prefix : {false, true}) {  // some writers keep JPEG's "Exif\0\0"
            const std::string tags = bytes::exif_segment(orientation, false).substr(with_prefix ? 4 : 10);
            const Image turned =
                decode(riff(extended(8, kWidth, kHeight) + chunks_of(plain) + chunk("EXIF", tags)));
            INFO("orientation " << orientation);
            CHECK(turned.width == (orientation >= 5 ? kHeight : kWidth));
            const bool bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
            const bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
            const uint8_t* first = turned.at(bottom ? turned.height - 1 : 0, right ? turned.width - 1 : 0);
            CHECK(first[0] + first[1] == 0);  // the stored top left
        }
    }
}

TEST_CASE("WebP: of an animation the first canvas", "[io][image][webp]") {
    const auto flat = [](uint8_t red, uint8_t alpha) {
        std::vector<uint8_t> rgba;
        for (int i = 0; i < 64; ++i) rgba.insert(rgba.end(), {red, 20, 30, alpha});
        return lossless(rgba, 8, 8);
    };
    const std::string header = chunk("ANIM", std::string("\xFF\xFF\xFF\xFF\0\0", 6));  // a white background
    std::vector<std::string> remarks;
    const Image image = decode(riff(extended(2 | 16, kWidth, kHeight) + header + frame(2, 1, flat(200, 128)) +
                                    frame(0, 0, flat(10, 255))),
                               &remarks);
    CHECK(remarks == std::vector<std::string>{"'x.webp': an animation: its first picture is taken"});
    REQUIRE(image.width == kWidth);
    REQUIRE(image.channels == 4);
    for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x) {
            const bool inside = x >= 4 && x < 12 && y >= 2 && y < 10;
            REQUIRE(image.at(y, x)[3] == (inside ? 128 : 0));
            if (inside) REQUIRE(image.at(y, x)[0] == 200);
        }
    // A frame that covers the canvas has no alpha to show.
    const Image whole = decode(riff(extended(2, 8, 8) + header + frame(0, 0, flat(200, 255))));
    CHECK(whole.channels == 3);
    CHECK(whole.pixels[0] == 200);
}

TEST_CASE("WebP: what was cut off, is damaged or too large is refused", "[io][image][webp]") {
    const std::string exif = bytes::exif_segment(6, true).substr(10);
    const std::string files[] = {
        lossless(picture(true)), lossy(picture(true), 80),
        riff(extended(8, kWidth, kHeight) + chunks_of(lossless(picture(false))) + chunk("EXIF", exif)),
        riff(extended(2, 8, 8) + chunk("ANIM", std::string(6, '\0')) +
             frame(0, 0, lossless(std::vector<uint8_t>(256, 7), 8, 8)))};
    for (const std::string& file : files) {
        CHECK(decode(file).width > 0);
        for (size_t n = 12; n < file.size(); ++n)
            REQUIRE_THAT(error_of([&] { decode(file.substr(0, n)); }),
                         ContainsSubstring("x.webp' is truncated"));
        CHECK(decode(file + "behind the end").width > 0);
    }
    const std::string vp8l = files[0];
    CHECK_THAT(error_of([&] { decode(riff(chunks_of(vp8l).substr(0, vp8l.size() / 2))); }),
               ContainsSubstring("is damaged"));
    CHECK_THAT(error_of([&] { decode(riff(extended(0, 16384, 16384) + chunks_of(vp8l))); }),
               ContainsSubstring("x.webp' is"));
    CHECK_THAT(
        error_of([&] { decode_image(bytes_of(vp8l), "x.webp", {.max_pixels = kWidth * kHeight - 1}); }),
        ContainsSubstring("is too large: 24 x 16 pixels"));
    CHECK_THAT(error_of([] { decode(riff("VP8 ")); }), ContainsSubstring("x.webp' is damaged"));
}

#else

TEST_CASE("WebP: a build without libwebp names the package", "[io][image][webp]") {
    CHECK(error_of([] { decode_image(bytes_of("RIFF    WEBP"), "x.webp"); }) ==
          "'x.webp' cannot be read: it is a WebP picture, and this build was made without libwebp; install "
          "libwebp-dev and build again");
    CHECK(webp_version().empty());
}

#endif

}  // namespace
}  // namespace lily::io
