// SPDX-License-Identifier: MIT
// Writes TIFF files for the tests through libtiff, one recipe each; the picture is always the same.
#pragma once

#include <tiffio.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/framework/io/io_test.h"

namespace lily::io {

// How a file stores the picture.
struct TiffRecipe {
    const char* what = "";
    int bits = 8;
    uint16_t photometric = PHOTOMETRIC_RGB;
    uint16_t compression = COMPRESSION_NONE;
    const char* mode = "w";  // w8: BigTIFF; wb, wl: byte order
    int extra = -1;          // an extra sample of this kind
    bool planar = false, tiled = false;
    int rows = 5;  // per strip
    int predictor = 1, orientation = 0;
    int fill_order = 0, group3 = 0;
    int subsampling = 1;  // of colour, in YCbCr
    std::vector<std::byte> profile = {};
    int small_pages_first = 0, more_pages = 0;
};

// A pixel as light: four quadrants of flat colours, of which grey pictures show the first sample. Alpha is
// 1, 0.5, 0.25 and 0 by quadrant; under the last the colour is lost where it stands multiplied.
struct TestPicture {
    static constexpr int kWidth = 37, kHeight = 29;
    static constexpr double kColours[4][3] = {
        {0.8, 0.2, 0.4}, {0.2, 0.6, 0.0}, {0.2, 0.4, 1.0}, {1.0, 0.8, 0.2}};
    static constexpr double kAlpha[4] = {1, 0.5, 0.25, 0};

    static int quadrant(int y, int x) { return (y < kHeight / 2 ? 0 : 2) + (x < kWidth / 2 ? 0 : 1); }
    // With a gradient of 15 steps, so that rows and columns differ; none where there are few codes.
    static double colour(int y, int x, int k, int bits) {
        const double flat = kColours[quadrant(y, x)][k];
        return bits < 4 ? flat : flat * (1 - 0.25 * ((x + 2 * y) % 15) / 15.0);
    }
};

inline double code_of(double value, int bits) { return std::round(value * ((1 << bits) - 1)); }

inline int colours_of(const TiffRecipe& r) {
    switch (r.photometric) {
        case PHOTOMETRIC_MINISBLACK:
        case PHOTOMETRIC_MINISWHITE:
        case PHOTOMETRIC_PALETTE:
            return 1;
        case PHOTOMETRIC_SEPARATED:
            return 4;
        default:
            return 3;
    }
}

// The stored number of sample k of a pixel.
inline unsigned stored_sample(const TiffRecipe& r, int y, int x, int k) {
    const int colours = colours_of(r);
    const double alpha = r.extra < 0 ? 1 : TestPicture::kAlpha[TestPicture::quadrant(y, x)];
    const auto light = [&](int channel) { return TestPicture::colour(y, x, channel, r.bits); };
    double value = 0;
    if (k == colours)
        value = alpha;
    else if (r.photometric == PHOTOMETRIC_PALETTE)
        return static_cast<unsigned>(TestPicture::quadrant(y, x) % (1 << r.bits));
    else if (r.photometric == PHOTOMETRIC_SEPARATED)  // black takes a fifth of the light
        value = k == 3 ? 0.2 : 1 - light(k);
    else
        value = r.photometric == PHOTOMETRIC_MINISWHITE ? 1 - light(k) : light(k);
    if (k < colours && r.extra == EXTRASAMPLE_ASSOCALPHA) value *= alpha;
    return static_cast<unsigned>(code_of(value, r.bits));
}

// `count` numbers of `bits` each as libtiff wants them: the first bit the highest, 16 bits in our byte order.
inline std::vector<uint8_t> packed(const std::vector<unsigned>& values, int bits) {
    std::vector<uint8_t> out;
    if (bits == 16) {
        for (const unsigned v : values) {
            const auto value = static_cast<uint16_t>(v);
            uint8_t two[2];
            std::memcpy(two, &value, 2);
            out.insert(out.end(), two, two + 2);
        }
        return out;
    }
    unsigned held = 0;
    int have = 0;
    for (const unsigned v : values) {
        held = held << bits | v;
        have += bits;
        for (; have >= 8; have -= 8) out.push_back(static_cast<uint8_t>(held >> (have - 8)));
    }
    if (have > 0) out.push_back(static_cast<uint8_t>(held << (8 - have)));
    return out;
}

inline void set_tags(TIFF* tiff, const TiffRecipe& r, int width, int height) {
    const int samples = colours_of(r) + (r.extra >= 0 ? 1 : 0);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, r.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, r.photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, r.compression);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, r.planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (r.fill_order) TIFFSetField(tiff, TIFFTAG_FILLORDER, r.fill_order);
    if (r.group3) TIFFSetField(tiff, TIFFTAG_GROUP3OPTIONS, r.group3);
    if (r.orientation) TIFFSetField(tiff, TIFFTAG_ORIENTATION, r.orientation);
    if (r.predictor != 1) TIFFSetField(tiff, TIFFTAG_PREDICTOR, r.predictor);
    if (r.extra >= 0) {
        const auto kind = static_cast<uint16_t>(r.extra);
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &kind);
    }
    if (r.tiled) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, r.compression == COMPRESSION_JPEG ? 16 : r.rows);
    }
    if (r.compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, 100);
        if (r.photometric == PHOTOMETRIC_YCBCR) {
            TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, r.subsampling, r.subsampling);
            TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        }
    }
    if (r.compression == COMPRESSION_WEBP) TIFFSetField(tiff, TIFFTAG_WEBP_LOSSLESS, 1);
    if (!r.profile.empty())
        TIFFSetField(tiff, TIFFTAG_ICCPROFILE, static_cast<uint32_t>(r.profile.size()), r.profile.data());
    if (r.photometric == PHOTOMETRIC_PALETTE) {
        std::vector<uint16_t> map[3];
        for (int k = 0; k < 3; ++k)
            for (int i = 0; i < 1 << r.bits; ++i)
                map[k].push_back(static_cast<uint16_t>(code_of(TestPicture::kColours[i % 4][k], 16)));
        TIFFSetField(tiff, TIFFTAG_COLORMAP, map[0].data(), map[1].data(), map[2].data());
    }
}

inline void write_pixels(TIFF* tiff, const TiffRecipe& r, int width, int height) {
    const int samples = colours_of(r) + (r.extra >= 0 ? 1 : 0);
    const int chunk_width = r.tiled ? 16 : width, planes = r.planar ? samples : 1;
    const int chunk_height = r.tiled ? 16 : r.compression == COMPRESSION_JPEG ? 16 : r.rows;
    for (int plane = 0; plane < planes; ++plane)
        for (int top = 0; top < height; top += chunk_height)
            for (int left = 0; left < width; left += chunk_width) {
                std::vector<uint8_t> chunk;
                for (int y = top; y < top + chunk_height; ++y) {
                    if (!r.tiled && y >= height) break;
                    std::vector<unsigned> row;
                    for (int x = left; x < left + chunk_width; ++x)
                        for (int k = 0; k < (r.planar ? 1 : samples); ++k)
                            row.push_back(stored_sample(r, std::min(y, height - 1), std::min(x, width - 1),
                                                        r.planar ? plane : k));
                    const std::vector<uint8_t> bytes = packed(row, r.bits);
                    chunk.insert(chunk.end(), bytes.begin(), bytes.end());
                }
                const auto size = static_cast<tmsize_t>(chunk.size());
                const auto x = static_cast<uint32_t>(left), y = static_cast<uint32_t>(top);
                const auto p = static_cast<uint16_t>(plane);
                if (r.tiled)
                    REQUIRE(TIFFWriteEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, p), chunk.data(),
                                                 size) >= 0);
                else
                    REQUIRE(TIFFWriteEncodedStrip(tiff, TIFFComputeStrip(tiff, y, p), chunk.data(), size) >=
                            0);
            }
}

// The file's bytes. `more_tags` is called last before the pixels.
inline std::string written(const TiffRecipe& r, const std::function<void(TIFF*)>& more_tags = nullptr) {
    TIFFSetWarningHandler(nullptr);  // of the old codes for Deflate
    const ScratchFolder folder;
    TIFF* tiff = TIFFOpen((folder / "x.tif").c_str(), r.mode);
    REQUIRE(tiff != nullptr);
    for (int i = 0; i < r.small_pages_first; ++i) {
        set_tags(tiff, r, 8, 8);
        TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
        write_pixels(tiff, r, 8, 8);
        TIFFWriteDirectory(tiff);
    }
    for (int i = 0; i <= r.more_pages; ++i) {
        set_tags(tiff, r, TestPicture::kWidth, i == 0 ? TestPicture::kHeight : 9);
        if (more_tags) more_tags(tiff);
        write_pixels(tiff, r, TestPicture::kWidth, i == 0 ? TestPicture::kHeight : 9);
        TIFFWriteDirectory(tiff);
    }
    TIFFClose(tiff);
    return text_of(folder / "x.tif");
}

}  // namespace lily::io
