// SPDX-License-Identifier: MIT
#include "framework/io/image/tiff.h"

#include "framework/io/image/color_profile.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

#ifdef LILY_HAS_TIFF
#include "tests/framework/io/image/tiff_writer.h"
#endif

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

#ifdef LILY_HAS_TIFF

Image decode(const std::string& file, std::vector<std::string>* remarks = nullptr,
             const char* name = "x.tif") {
    return decode_image(bytes_of(file), name, {.remarks = remarks});
}

std::string refusal(const std::string& file, const char* name = "x.tif") {
    return error_of([&] { decode(file, nullptr, name); });
}

// What to see of a pixel, 0 to 255, from the numbers that were stored: the format's definition.
struct Seen {
    double colour[3], alpha;
};
Seen seen(const TiffRecipe& r, int y, int x) {
    const double full = (1 << r.bits) - 1;
    const int colours = colours_of(r);
    const auto stored = [&](int k) { return stored_sample(r, y, x, k) / full; };
    const bool has_alpha = r.extra == EXTRASAMPLE_ASSOCALPHA || r.extra == EXTRASAMPLE_UNASSALPHA;
    Seen out{{}, has_alpha ? stored(colours) : 1};
    for (int k = 0; k < 3; ++k) {
        double value = stored(colours == 1 ? 0 : k);
        if (r.extra == EXTRASAMPLE_ASSOCALPHA) value = out.alpha > 0 ? std::min(value / out.alpha, 1.0) : 0;
        if (r.photometric == PHOTOMETRIC_MINISWHITE) value = 1 - value;
        if (r.photometric == PHOTOMETRIC_PALETTE) value = TestPicture::kColours[stored_sample(r, y, x, 0)][k];
        if (r.photometric == PHOTOMETRIC_SEPARATED) value = (1 - value) * (1 - stored(3));
        out.colour[k] = value * 255;
    }
    out.alpha *= 255;
    return out;
}

// Where EXIF's and TIFF's orientations put the stored row y, column x.
std::pair<int, int> shown_at(int orientation, int y, int x, int height, int width) {
    const int bottom = height - 1 - y, right = width - 1 - x;
    switch (orientation) {
        case 2:
            return {y, right};
        case 3:
            return {bottom, right};
        case 4:
            return {bottom, x};
        case 5:
            return {x, y};
        case 6:
            return {x, bottom};
        case 7:
            return {right, bottom};
        case 8:
            return {right, y};
        default:
            return {y, x};
    }
}

constexpr uint16_t kGrey = PHOTOMETRIC_MINISBLACK, kWhite0 = PHOTOMETRIC_MINISWHITE, kRgb = PHOTOMETRIC_RGB,
                   kPalette = PHOTOMETRIC_PALETTE, kInks = PHOTOMETRIC_SEPARATED;
constexpr int kMultiplied = EXTRASAMPLE_ASSOCALPHA, kStraight = EXTRASAMPLE_UNASSALPHA,
              kUnspecified = EXTRASAMPLE_UNSPECIFIED;

std::vector<TiffRecipe> recipes() {
    std::vector<TiffRecipe> all = {
        {.what = "RGB, planar", .planar = true},
        {.what = "RGB, tiled", .tiled = true},
        {.what = "RGB, planar and tiled", .planar = true, .tiled = true},
        {.what = "RGB of 16 bits, planar and tiled", .bits = 16, .planar = true, .tiled = true},
        {.what = "one strip", .rows = 29},
        {.what = "a strip per row", .rows = 1},
        {.what = "grey, tiled, 1 bit", .bits = 1, .photometric = kGrey, .tiled = true},
        {.what = "RGB of 4 bits, planar", .bits = 4, .planar = true},
        {.what = "RGB of 12 bits", .bits = 12},
        {.what = "grey of 12 bits", .bits = 12, .photometric = kGrey},
        {.what = "RGBA, multiplied", .extra = kMultiplied},
        {.what = "RGBA, straight", .extra = kStraight},
        {.what = "RGB and something", .extra = kUnspecified},
        {.what = "RGBA of 16 bits, multiplied", .bits = 16, .extra = kMultiplied},
        {.what = "RGBA of 16 bits, straight", .bits = 16, .extra = kStraight},
        {.what = "RGBA, planar", .extra = kStraight, .planar = true},
        {.what = "grey and alpha", .photometric = kGrey, .extra = kStraight},
        {.what = "grey and alpha, multiplied", .photometric = kGrey, .extra = kMultiplied},
        {.what = "grey and something", .photometric = kGrey, .extra = kUnspecified},
        {.what = "palette and alpha", .photometric = kPalette, .extra = kStraight},
        {.what = "CMYK", .photometric = kInks},
        {.what = "CMYK of 16 bits", .bits = 16, .photometric = kInks},
        {.what = "CMYK, planar", .photometric = kInks, .planar = true},
        {.what = "CMYK and alpha", .photometric = kInks, .extra = kStraight},
        {.what = "BigTIFF", .mode = "w8"},
        {.what = "BigTIFF, big-endian", .mode = "w8b"},
        {.what = "BigTIFF, little-endian, 16 bits", .bits = 16, .mode = "w8l"},
        {.what = "big-endian, 16 bits", .bits = 16, .mode = "wb"},
        {.what = "little-endian, 16 bits", .bits = 16, .mode = "wl"},
        {.what = "big-endian, palette", .photometric = kPalette, .mode = "wb"},
        {.what = "CCITT, modified Huffman",
         .bits = 1,
         .photometric = kWhite0,
         .compression = COMPRESSION_CCITTRLE},
        {.what = "CCITT, group 3", .bits = 1, .photometric = kWhite0, .compression = COMPRESSION_CCITTFAX3},
        {.what = "CCITT, group 3 in two dimensions",
         .bits = 1,
         .photometric = kWhite0,
         .compression = COMPRESSION_CCITTFAX3,
         .group3 = GROUP3OPT_2DENCODING},
        {.what = "CCITT, group 4", .bits = 1, .photometric = kWhite0, .compression = COMPRESSION_CCITTFAX4},
        {.what = "CCITT, group 4, black is 0",
         .bits = 1,
         .photometric = kGrey,
         .compression = COMPRESSION_CCITTFAX4},
        {.what = "CCITT, group 4, low bits first",
         .bits = 1,
         .photometric = kWhite0,
         .compression = COMPRESSION_CCITTFAX4,
         .fill_order = FILLORDER_LSB2MSB},
        {.what = "1 bit, low bits first", .bits = 1, .photometric = kGrey, .fill_order = FILLORDER_LSB2MSB},
        {.what = "a small copy first", .small_pages_first = 1},
        {.what = "two small copies first", .small_pages_first = 2},
        {.what = "more pages", .more_pages = 2},
        {.what = "LERC inside", .photometric = kGrey, .compression = COMPRESSION_LERC},
        {.what = "WebP inside", .compression = COMPRESSION_WEBP},
        {.what = "WebP inside, tiled, alpha",
         .compression = COMPRESSION_WEBP,
         .extra = kStraight,
         .tiled = true},
        {.what = "JPEG inside, grey", .photometric = kGrey, .compression = COMPRESSION_JPEG},
        {.what = "JPEG inside, RGB", .compression = COMPRESSION_JPEG},
        {.what = "JPEG inside, YCbCr", .photometric = PHOTOMETRIC_YCBCR, .compression = COMPRESSION_JPEG},
        {.what = "JPEG inside, YCbCr, tiled",
         .photometric = PHOTOMETRIC_YCBCR,
         .compression = COMPRESSION_JPEG,
         .tiled = true},
    };
    for (const int bits : {1, 2, 4, 8, 16})
        for (const uint16_t photometric : {kGrey, kWhite0, kPalette, kRgb})
            if (!(photometric == kPalette && (bits == 1 || bits == 16)))
                all.push_back({.what = "plain", .bits = bits, .photometric = photometric});
    for (int orientation = 1; orientation <= 8; ++orientation)
        all.push_back({.what = "turned", .orientation = orientation});
    for (const int compression : {COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,
                                  COMPRESSION_PACKBITS, COMPRESSION_ZSTD, COMPRESSION_LZMA}) {
        all.push_back({.what = "packed", .compression = static_cast<uint16_t>(compression)});
        all.push_back({.what = "packed, grey of 16 bits, big-endian",
                       .bits = 16,
                       .photometric = kGrey,
                       .compression = static_cast<uint16_t>(compression),
                       .mode = "wb"});
        if (compression == COMPRESSION_PACKBITS) continue;
        all.push_back({.what = "packed differences",
                       .compression = static_cast<uint16_t>(compression),
                       .predictor = 2});
        all.push_back({.what = "packed differences, 16 bits, planar, tiled",
                       .bits = 16,
                       .compression = static_cast<uint16_t>(compression),
                       .planar = true,
                       .tiled = true,
                       .predictor = 2});
    }
    return all;
}

void check_picture(const TiffRecipe& r, const Image& image, int tolerance) {
    const bool turns = r.orientation >= 5;
    const int width = TestPicture::kWidth, height = TestPicture::kHeight;
    REQUIRE(image.width == (turns ? height : width));
    REQUIRE(image.height == (turns ? width : height));
    const bool has_alpha = r.extra == kMultiplied || r.extra == kStraight;
    REQUIRE(image.channels ==
            (colours_of(r) == 1 && r.photometric != kPalette ? 1 : 3) + (has_alpha ? 1 : 0));
    double worst = 0;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const Seen right = seen(r, y, x);
            const auto [row, column] = shown_at(r.orientation, y, x, height, width);
            const uint8_t* got = image.at(row, column);
            const int colours = image.channels - (has_alpha ? 1 : 0);
            for (int k = 0; k < colours; ++k) {
                if (has_alpha && right.alpha == 0) continue;
                const double off = std::abs(got[k] - right.colour[k]);
                worst = !(off <= worst) ? off : worst;
            }
            if (has_alpha) worst = std::max(worst, std::abs(got[colours] - right.alpha));
        }
    CHECK(worst <= tolerance + 0.501);  // rounded
}

TEST_CASE("TIFF: every way to store a picture reads as the same picture", "[io][image][tiff]") {
    int tried = 0;
    for (const TiffRecipe& r : recipes()) {
        INFO(r.what << ": " << r.bits << " bits, photometric " << r.photometric << ", compression "
                    << r.compression << ", orientation " << r.orientation);
        if (!TIFFIsCODECConfigured(r.compression)) continue;  // libtiff's builds differ
        ++tried;
        std::vector<std::string> remarks;
        const Image image = decode(written(r), &remarks);
        check_picture(r, image, r.compression == COMPRESSION_JPEG ? 4 : 0);
        std::string expected;
        if (r.extra == kUnspecified)
            expected = "'x.tif': 1 extra channel, not declared as transparency: left out";
        if (r.more_pages > 0) expected = "'x.tif': a file of several pages: the first is taken";
        CHECK(remarks ==
              (expected.empty() ? std::vector<std::string>{} : std::vector<std::string>{expected}));
    }
    CHECK(tried >= 70);
}

TEST_CASE("TIFF: profiles are applied, also to palettes and to 16 bits", "[io][image][tiff]") {
    const std::vector<std::byte> adobe =
        profile_of(ColourModel::rgb, 563.0 / 256, kAdobeRgbPrimaries, "wide");
    for (const TiffRecipe& r :
         {TiffRecipe{.profile = adobe}, TiffRecipe{.bits = 16, .extra = kStraight, .profile = adobe},
          TiffRecipe{.photometric = kPalette, .profile = adobe}}) {
        std::vector<std::string> remarks;
        const Image image = decode(written(r), &remarks);
        CHECK(remarks ==
              std::vector<std::string>{"'x.tif': converted from its colour profile 'wide' to sRGB"});
        const uint8_t* p = image.at(0, 0);  // (204, 51, 102) in Adobe RGB; in sRGB, by the formulas:
        CHECK(std::abs(p[0] - 236.7) <= 1);
        CHECK(std::abs(p[1] - 47.5) <= 1);
        CHECK(std::abs(p[2] - 103.8) <= 1);
    }
}

// CIE's definition, white D50; Bradford's matrix to D65; IEC 61966-2-1.
std::array<double, 3> srgb_of_lab(double l, double a, double b) {
    const auto f = [](double t) {
        return t > 6.0 / 29 ? t * t * t : 3 * (6.0 / 29) * (6.0 / 29) * (t - 4.0 / 29);
    };
    const double y = (l + 16) / 116;
    const double xyz[3] = {0.9642 * f(y + a / 500), f(y), 0.8249 * f(y - b / 200)};
    const double m[3][3] = {{3.1338561, -1.6168667, -0.4906146},
                            {-0.9787684, 1.9161415, 0.0334540},
                            {0.0719453, -0.2289914, 1.4052427}};
    std::array<double, 3> out{};
    for (size_t i = 0; i < 3; ++i) {
        const double v = std::clamp(m[i][0] * xyz[0] + m[i][1] * xyz[1] + m[i][2] * xyz[2], 0.0, 1.0);
        out[i] = 255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055);
    }
    return out;
}

TEST_CASE("TIFF: CIELAB, with signed colours and with an offset", "[io][image][tiff]") {
    const int lab[][3] = {{0, 0, 0},    {100, 0, 0},   {20, 0, 0},   {60, 0, 0},
                          {50, 40, 20}, {60, -40, 30}, {40, 10, -50}};
    for (const int bits : {8, 16}) {
        for (const bool icc : {false, true}) {
            const ScratchFolder folder;
            TIFF* tiff = TIFFOpen((folder / "x.tif").c_str(), "w");
            TiffRecipe r{.bits = bits,
                         .photometric = static_cast<uint16_t>(icc ? PHOTOMETRIC_ICCLAB : PHOTOMETRIC_CIELAB)};
            set_tags(tiff, r, static_cast<int>(std::size(lab)), 1);
            std::vector<unsigned> values;
            for (const auto& [l, a, b] : lab) {
                const double most = bits == 8 ? 255 : icc ? 65280 : 65535;
                values.push_back(static_cast<unsigned>(std::lround(l * most / 100)));
                for (const int c : {a, b})
                    values.push_back(static_cast<unsigned>((icc ? c + 128 : c) * (bits == 8 ? 1 : 256)) &
                                     ((1U << bits) - 1));
            }
            std::vector<uint8_t> row = packed(values, bits);
            REQUIRE(TIFFWriteEncodedStrip(tiff, 0, row.data(), static_cast<tmsize_t>(row.size())) > 0);
            TIFFClose(tiff);
            const Image image = decode(text_of(folder / "x.tif"));
            for (int x = 0; x < image.width; ++x) {
                const auto right = srgb_of_lab(lab[x][0], lab[x][1], lab[x][2]);
                INFO(bits << " bits, ICC " << icc << ", L*a*b* " << lab[x][0] << " " << lab[x][1] << " "
                          << lab[x][2]);
                for (size_t k = 0; k < 3; ++k) CHECK(std::abs(image.at(0, x)[k] - right[k]) <= 1.5);
            }
        }
    }
}

// A little-endian file whose directory comes first; what is cut off is always of the pixels.
std::string directory_first(const std::vector<std::array<uint32_t, 3>>& tags_types_values,
                            const std::string& pixels, size_t strip_bytes) {
    std::vector<std::array<uint32_t, 3>> tags = tags_types_values;
    const auto at = static_cast<uint32_t>(8 + 2 + (tags.size() + 2) * 12 + 4);
    tags.push_back({TIFFTAG_STRIPOFFSETS, TIFF_LONG, at});
    tags.push_back({TIFFTAG_STRIPBYTECOUNTS, TIFF_LONG, static_cast<uint32_t>(strip_bytes)});
    std::sort(tags.begin(), tags.end());
    std::string file = "II" + bytes::little(42, 2) + bytes::little(8, 4) + bytes::little(tags.size(), 2);
    for (const auto& [tag, type, value] : tags)
        file +=
            bytes::little(tag, 2) + bytes::little(type, 2) + bytes::little(1, 4) + bytes::little(value, 4);
    return file + bytes::little(0, 4) + pixels;
}

// The picture in grey as one strip of the given compression.
std::pair<std::vector<std::array<uint32_t, 3>>, std::string> grey_strip(uint16_t compression) {
    const bool fax = compression >= COMPRESSION_CCITTRLE && compression <= COMPRESSION_CCITTFAX4;
    const TiffRecipe r{.bits = fax ? 1 : 8, .photometric = kGrey, .compression = compression, .rows = 32};
    const ScratchFolder folder;
    TIFF* tiff = TIFFOpen((folder / "x.tif").c_str(), "w");
    set_tags(tiff, r, TestPicture::kWidth, TestPicture::kHeight);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 32);
    if (compression == COMPRESSION_JPEG) TIFFSetField(tiff, TIFFTAG_JPEGTABLESMODE, 0);
    std::vector<uint8_t> pixels;
    for (int y = 0; y < TestPicture::kHeight; ++y) {
        std::vector<unsigned> row;
        for (int x = 0; x < TestPicture::kWidth; ++x)
            row.push_back(fax ? static_cast<unsigned>((x * 7 + y * 5) % 11 < 4) : stored_sample(r, y, x, 0));
        const std::vector<uint8_t> bytes = packed(row, r.bits);
        pixels.insert(pixels.end(), bytes.begin(), bytes.end());
    }
    REQUIRE(TIFFWriteEncodedStrip(tiff, 0, pixels.data(), static_cast<tmsize_t>(pixels.size())) > 0);
    TIFFClose(tiff);
    tiff = TIFFOpen((folder / "x.tif").c_str(), "r");
    std::string strip(static_cast<size_t>(TIFFRawStripSize(tiff, 0)), '\0');
    REQUIRE(TIFFReadRawStrip(tiff, 0, strip.data(), static_cast<tmsize_t>(strip.size())) > 0);
    TIFFClose(tiff);
    return {{{TIFFTAG_IMAGEWIDTH, TIFF_SHORT, TestPicture::kWidth},
             {TIFFTAG_IMAGELENGTH, TIFF_SHORT, TestPicture::kHeight},
             {TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, static_cast<uint32_t>(r.bits)},
             {TIFFTAG_COMPRESSION, TIFF_SHORT, compression},
             {TIFFTAG_PHOTOMETRIC, TIFF_SHORT, kGrey},
             {TIFFTAG_ROWSPERSTRIP, TIFF_SHORT, 32}},
            strip};
}

TEST_CASE("TIFF: a file that was cut off is refused, whatever packs it", "[io][image][tiff]") {
    for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                  COMPRESSION_PACKBITS, COMPRESSION_ZSTD, COMPRESSION_LZMA, COMPRESSION_JPEG,
                                  COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4}) {
        const auto codec = static_cast<uint16_t>(compression);
        if (!TIFFIsCODECConfigured(codec)) continue;
        INFO("compression " << compression);
        const auto [tags, strip] = grey_strip(codec);
        const std::string whole = directory_first(tags, strip, strip.size());
        CHECK(decode(whole).width == TestPicture::kWidth);
        for (size_t n = 8; n < whole.size(); n += 3)
            REQUIRE_THAT(refusal(whole.substr(0, n)), ContainsSubstring("is truncated: it ends after"));
        CHECK_THAT(refusal(whole.substr(0, whole.size() - 1)), ContainsSubstring("is truncated"));
        // The strip itself was cut before it was written: libtiff's decoders for JPEG and fax only warn.
        for (const size_t part : {8UL, 4UL, 2UL}) {
            const size_t n = strip.size() / part;
            REQUIRE(refusal(directory_first(tags, strip.substr(0, n), n)) != "(no error)");
        }
    }
    const std::string file = written({.mode = "wl"});  // the directory at the end
    for (size_t n = 0; n < file.size(); n += 11) REQUIRE(refusal(file.substr(0, n)) != "(no error)");
}

TEST_CASE("TIFF: what is no light of 1 to 16 bits is refused by name", "[io][image][tiff]") {
    using Tags = std::function<void(TIFF*)>;
    const auto with_format = [](uint16_t format) -> Tags {
        return [format](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, format); };
    };
    const auto says = [](const TiffRecipe& r, const Tags& tags, const char* what) {
        const std::string message = refusal(written(r, tags), "my scan.tif");
        CHECK_THAT(message, ContainsSubstring("'my scan.tif' cannot be read: it is " + std::string(what)));
        return message;
    };
    CHECK(says({.bits = 16}, with_format(SAMPLEFORMAT_IEEEFP), "a TIFF of 16-bit floating-point samples") ==
          "'my scan.tif' cannot be read: it is a TIFF of 16-bit floating-point samples; convert it with: "
          "convert 'my "
          "scan.tif''[0]' 'my scan.png' (package imagemagick)");
    says({}, with_format(SAMPLEFORMAT_INT), "a TIFF of signed samples");
    says({.photometric = PHOTOMETRIC_MASK + 0}, nullptr, "a TIFF of a transparency mask");
    says({.photometric = PHOTOMETRIC_ITULAB}, nullptr, "a TIFF of ITU L*a*b* colours");
    says(
        {.photometric = PHOTOMETRIC_SEPARATED},
        [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_INKSET, INKSET_MULTIINK); },
        "a TIFF of inks other than CMYK");
    says(
        {}, [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_DNGVERSION, "\1\4\0\0"); },
        "a camera's raw file (DNG)");
    CHECK_THAT(
        refusal(written({}), "x.NEF"),
        ContainsSubstring("it is a camera's raw file (nef); convert it with: darktable-cli x.NEF x.png"));

    const auto plain = [](uint32_t bits, uint32_t format, uint32_t photometric, uint32_t compression = 1) {
        return directory_first({{TIFFTAG_IMAGEWIDTH, TIFF_SHORT, 2},
                                {TIFFTAG_IMAGELENGTH, TIFF_SHORT, 1},
                                {TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, bits},
                                {TIFFTAG_SAMPLEFORMAT, TIFF_SHORT, format},
                                {TIFFTAG_COMPRESSION, TIFF_SHORT, compression},
                                {TIFFTAG_PHOTOMETRIC, TIFF_SHORT, photometric}},
                               std::string(64, '\1'), 64);
    };
    CHECK_THAT(refusal(plain(32, 3, kGrey)), ContainsSubstring("32-bit floating-point samples"));
    CHECK_THAT(refusal(plain(64, 3, kGrey)), ContainsSubstring("64-bit floating-point samples"));
    CHECK_THAT(refusal(plain(32, 1, kGrey)), ContainsSubstring("a TIFF of 32-bit samples"));
    CHECK_THAT(refusal(plain(16, 2, PHOTOMETRIC_LOGL)), ContainsSubstring("high dynamic range (LogLuv)"));
    CHECK_THAT(refusal(plain(8, 1, PHOTOMETRIC_CFA)), ContainsSubstring("a camera's raw file"));
    CHECK_THAT(refusal(plain(8, 1, 34892)), ContainsSubstring("a camera's raw file"));
    CHECK_THAT(refusal(plain(8, 1, 1234)), ContainsSubstring("photometric interpretation 1234"));
    CHECK_THAT(refusal(plain(8, 1, kGrey, 34712)), ContainsSubstring("compression 34712"));
    CHECK_THAT(refusal(plain(8, 1, kRgb)), ContainsSubstring("1 samples per pixel where 3 are due"));
    std::string canon = plain(8, 1, kGrey);
    canon.insert(
        8, std::string("CR\2\0ABCD", 8));  // where CR2 has its mark; the directory is 8 bytes further on
    canon[4] = 16;
    CHECK_THAT(refusal(canon, "x.jpg"), ContainsSubstring("a camera's raw file (CR2)"));
}

TEST_CASE("TIFF: sizes out of all reason", "[io][image][tiff]") {
    const auto sized = [](uint32_t width, uint32_t height, std::vector<std::array<uint32_t, 3>> more = {}) {
        more.insert(more.end(), {{TIFFTAG_IMAGEWIDTH, TIFF_LONG, width},
                                 {TIFFTAG_IMAGELENGTH, TIFF_LONG, height},
                                 {TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, 8},
                                 {TIFFTAG_PHOTOMETRIC, TIFF_SHORT, kGrey}});
        return directory_first(more, "pixels", 6);
    };
    CHECK(refusal(sized(100'000, 100'000)) ==
          "'x.tif' is too large: 100000 x 100000 pixels, at most 100 million are read");
    CHECK(refusal(sized(0xFFFFFFFF, 0xFFFFFFFF)) != "(no error)");
    CHECK(refusal(sized(0, 5)) != "(no error)");
    CHECK_THAT(refusal(sized(3, 2, {{TIFFTAG_SAMPLESPERPIXEL, TIFF_SHORT, 5000}})),
               ContainsSubstring("5000 channels"));
    CHECK_THAT(refusal(directory_first({{TIFFTAG_IMAGEWIDTH, TIFF_LONG, 3},
                                        {TIFFTAG_IMAGELENGTH, TIFF_LONG, 2},
                                        {TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, 8},
                                        {TIFFTAG_PHOTOMETRIC, TIFF_SHORT, kGrey},
                                        {TIFFTAG_TILEWIDTH, TIFF_LONG, 1 << 20},
                                        {TIFFTAG_TILELENGTH, TIFF_LONG, 1 << 20}},
                                       "pixels", 6)),
               ContainsSubstring("strips or tiles of"));
}

TEST_CASE("TIFF: YCbCr that is not JPEG, and palettes of 8 bits", "[io][image][tiff]") {
    // Two blocks of 2 x 2 pixels: four of Y, then Cb and Cr. Full range, as TIFF's default has it.
    const ScratchFolder folder;
    TIFF* tiff = TIFFOpen((folder / "y.tif").c_str(), "w");
    set_tags(tiff, {.photometric = PHOTOMETRIC_YCBCR, .orientation = 6}, 4, 2);
    TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, 2, 2);
    const float black_white[] = {0, 255, 128, 255, 128, 255};
    TIFFSetField(tiff, TIFFTAG_REFERENCEBLACKWHITE, black_white);
    uint8_t blocks[] = {100, 100, 100, 100, 128, 128, 200, 200, 200, 200, 100, 150};
    REQUIRE(TIFFWriteRawStrip(tiff, 0, blocks, sizeof(blocks)) > 0);
    TIFFClose(tiff);
    const Image image = decode(text_of(folder / "y.tif"));
    REQUIRE(image.width == 2);
    REQUIRE(image.height == 4);
    for (int k = 0; k < 3; ++k) CHECK(std::abs(image.at(0, 0)[k] - 100) <= 1);
    const double right[] = {200 + 1.402 * 22, 200 + 0.344136 * 28 - 0.714136 * 22, 200 - 1.772 * 28};
    for (int k = 0; k < 3; ++k) CHECK(std::abs(image.at(3, 1)[k] - right[k]) <= 1.5);

    for (const int unit : {1, 256, 257}) {  // what programs multiply 8-bit entries by
        const auto entries = [&](TIFF* file) {
            std::vector<uint16_t> map[3];
            for (int k = 0; k < 3; ++k)
                for (int i = 0; i < 16; ++i) map[k].push_back(static_cast<uint16_t>(i * (14 + k) * unit));
            TIFFSetField(file, TIFFTAG_COLORMAP, map[0].data(), map[1].data(), map[2].data());
        };
        const Image old = decode(written({.bits = 4, .photometric = kPalette}, entries));
        const uint8_t* p = old.at(TestPicture::kHeight - 1, TestPicture::kWidth - 1);  // entry 3
        CHECK(std::vector<uint8_t>(p, p + 3) == std::vector<uint8_t>{42, 45, 48});
    }
}

#else

TEST_CASE("TIFF: a build without libtiff names the package", "[io][image][tiff]") {
    CHECK(error_of([] { decode_image(bytes_of(std::string("II*\0", 4)), "x.tif"); }) ==
          "'x.tif' cannot be read: it is a TIFF picture, and this build was made without libtiff; install "
          "libtiff-dev "
          "and build again");
    CHECK(tiff_version().empty());
}

#endif

}  // namespace
}  // namespace lily::io
