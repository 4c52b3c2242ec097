// SPDX-License-Identifier: MIT
#include "framework/io/image/bmp.h"

#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using bytes::little;

struct Bmp {
    uint32_t version = 40;
    int width = 2, height = 2, bits = 24;
    uint32_t compression = 0;
    std::string behind_header = {};  // masks
    std::string palette = {};
    std::string pixels = {};

    std::string file() const {
        const auto behind = static_cast<uint32_t>(behind_header.size());
        const auto at = 14 + static_cast<uint32_t>(palette.size()) +
                        (version < 40 ? version : std::max(version, 40 + behind));
        std::string out =
            "BM" + little(at + pixels.size(), 4) + little(0, 4) + little(at, 4) + little(version, 4);
        const int n = version == 12 ? 2 : 4;
        out += little(static_cast<uint32_t>(width), n) + little(static_cast<uint32_t>(height), n) +
               little(1, 2) + little(static_cast<uint32_t>(bits), 2);
        if (version >= 40) out += little(compression, 4) + std::string(20, '\0');
        out += behind_header;  // inside of the later versions
        out.resize(std::max<size_t>(out.size(), 14 + version));
        return out + palette + pixels;
    }
};

Image decode(const std::string& file) { return decode_image(bytes_of(file), "x.bmp"); }
Image decode(const Bmp& bmp) { return decode(bmp.file()); }
std::string error_with(const Bmp& bmp) {
    return error_of([&] { decode(bmp); });
}

const std::vector<uint8_t> kFour = {7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6};  // RGB, rows from the top
const std::string kRows24 = std::string("\3\2\1\6\5\4\0\0\x9\x8\x7\xC\xB\xA\0\0", 16);
const std::string kPalette = std::string("\3\2\1\0\6\5\4\0\x9\x8\x7\0\xC\xB\xA\0", 16);
const std::string kPalette3 = "\3\2\1\6\5\4\x9\x8\x7\xC\xB\xA";

TEST_CASE("BMP: every version of its header, 24 bits", "[io][image][bmp]") {
    for (const uint32_t version : {12, 16, 40, 52, 56, 64, 108, 124}) {
        INFO("header of " << version << " bytes");
        CHECK(decode({.version = version, .pixels = kRows24}).pixels == kFour);
        // A palette that 24 bits do not need.
        CHECK(decode({.version = version, .palette = kPalette, .pixels = kRows24}).pixels == kFour);
    }
    const std::string top_down = kRows24.substr(8) + kRows24.substr(0, 8);
    CHECK(decode({.height = -2, .pixels = top_down}).pixels == kFour);
}

TEST_CASE("BMP: palettes of 1, 4 and 8 bits", "[io][image][bmp]") {
    const std::string bytes8("\0\1\0\0\2\3\0\0", 8);
    const std::string bytes4("\x01\0\0\0\x23\0\0\0", 8);
    CHECK(decode({.bits = 8, .palette = kPalette, .pixels = bytes8}).pixels == kFour);
    CHECK(decode({.bits = 4, .palette = kPalette, .pixels = bytes4}).pixels == kFour);
    CHECK(decode({.version = 12, .bits = 8, .palette = kPalette3, .pixels = bytes8}).pixels == kFour);
    CHECK(decode({.version = 12, .bits = 4, .palette = kPalette3, .pixels = bytes4}).pixels == kFour);
    CHECK(decode({.version = 64, .bits = 8, .palette = kPalette, .pixels = bytes8}).pixels == kFour);
    CHECK(decode(
              {.bits = 1, .palette = kPalette.substr(0, 8), .pixels = std::string("\x40\0\0\0\x80\0\0\0", 8)})
              .pixels == std::vector<uint8_t>{4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6});
    CHECK(error_with({.bits = 8, .palette = kPalette, .pixels = std::string("\0\4\0\0\0\0\0\0", 8)}) ==
          "'x.bmp' is damaged: colour 4 of a palette of 4");
    CHECK(error_with({.bits = 8, .pixels = bytes8}) == "'x.bmp' is damaged: a palette of 0 colours");
}

TEST_CASE("BMP: 16 and 32 bits by masks", "[io][image][bmp]") {
    // Without masks: 5 bits each, and 8 bits with a byte that is no alpha.
    CHECK(
        decode({.width = 2, .height = 1, .bits = 16, .pixels = little(31 << 10, 2) + little(31 << 5 | 15, 2)})
            .pixels == std::vector<uint8_t>{255, 0, 0, 0, 255, 123});
    const Image opaque = decode({.width = 1, .height = 1, .bits = 32, .pixels = "\3\2\1\x80"});
    CHECK(opaque.pixels == std::vector<uint8_t>{1, 2, 3});

    const std::string masks565 = little(0xF800, 4) + little(0x7E0, 4) + little(0x1F, 4);
    const std::string pixels565 = little(31 << 11, 2) + little(63 << 5 | 15, 2);
    for (const uint32_t version : {40, 52, 56, 108, 124}) {
        INFO("header of " << version << " bytes");
        Bmp bmp{.version = version,
                .height = 1,
                .bits = 16,
                .compression = 3,
                .behind_header = masks565,
                .pixels = pixels565};
        CHECK(decode(bmp).pixels == std::vector<uint8_t>{255, 0, 0, 0, 255, 123});
    }
    // Red lowest, and alpha: in the header from version 56 on, behind it with compression 6.
    const std::string rgba =
        little(0xFF, 4) + little(0xFF00, 4) + little(0xFF0000, 4) + little(0xFF000000, 4);
    for (const uint32_t version : {56, 108, 124})
        CHECK(decode({.version = version,
                      .width = 1,
                      .height = 1,
                      .bits = 32,
                      .compression = 3,
                      .behind_header = rgba,
                      .pixels = "\1\2\3\x80"})
                  .pixels == std::vector<uint8_t>{1, 2, 3, 128});
    CHECK(decode({.width = 1,
                  .height = 1,
                  .bits = 32,
                  .compression = 6,
                  .behind_header = rgba,
                  .pixels = "\1\2\3\x80"})
              .pixels == std::vector<uint8_t>{1, 2, 3, 128});

    const auto with_red = [](uint32_t mask, int bits) {
        return error_with({.bits = bits,
                           .compression = 3,
                           .behind_header = little(mask, 4) + little(0xFF00, 4) + little(0xFF, 4),
                           .pixels = std::string(16, '\0')});
    };
    CHECK(with_red(0x3FF00000, 32) == "'x.bmp' cannot be read: a BMP of 10 bits per colour");
    CHECK(with_red(0x00A00000, 32) == "'x.bmp' is damaged: a colour mask of 00A00000");
    CHECK(with_red(0, 32) == "'x.bmp' is damaged: a colour mask of 00000000");
    CHECK(with_red(0xFF0000, 24) == "'x.bmp' is damaged: colour masks for 24 bits per pixel");
}

TEST_CASE("BMP: run-length coding of 8 and 4 bits", "[io][image][bmp]") {
    const auto rle8 = [](const std::string& pixels) {
        return Bmp{.width = 3, .bits = 8, .compression = 1, .palette = kPalette, .pixels = pixels};
    };
    const std::vector<uint8_t> expected = {4, 5, 6, 7, 8, 9, 10, 11, 12, 7, 8, 9, 7, 8, 9, 7, 8, 9};
    // A run; three values as they are, padded to four bytes; the end.
    CHECK(decode(rle8(std::string("\3\2\0\0"
                                  "\0\3\1\2\3\0\0\0"
                                  "\0\1",
                                  14)))
              .pixels == expected);
    // 4 bits: a run alternates between two values.
    const Bmp rle4{.width = 3,
                   .bits = 4,
                   .compression = 2,
                   .palette = kPalette,
                   .pixels = std::string("\3\x22\0\0"
                                         "\0\3\x12\x30\0\0"
                                         "\0\1",
                                         12)};
    CHECK(decode(rle4).pixels == expected);
    Bmp alternating = rle4;
    alternating.pixels = std::string("\3\x12\0\0\3\x12\0\1", 8);
    CHECK(decode(alternating).pixels ==
          std::vector<uint8_t>{4, 5, 6, 7, 8, 9, 4, 5, 6, 4, 5, 6, 7, 8, 9, 4, 5, 6});
    // What is skipped has colour 0, and a remark says so.
    std::vector<std::string> remarks;
    const std::string skipping = rle8(std::string("\1\2\0\2\1\1"
                                                  "\1\3\0\1",
                                                  10))
                                     .file();
    CHECK(decode_image(bytes_of(skipping), "x.bmp", {.remarks = &remarks}).pixels ==
          std::vector<uint8_t>{1, 2, 3, 1, 2, 3, 10, 11, 12, 7, 8, 9, 1, 2, 3, 1, 2, 3});
    CHECK(remarks == std::vector<std::string>{
                         "'x.bmp': pixels that its run-length coding skips have the palette's first colour"});

    CHECK(error_with(rle8(std::string("\3\2\0\0\0\1", 6))) ==
          "'x.bmp' is damaged: its run-length coding ends in row 1 of 2");
    CHECK(error_with(rle8(std::string("\0\1", 2))) ==
          "'x.bmp' is damaged: its run-length coding ends in row 0 of 2");
    CHECK(error_with(rle8("\4\2")) == "'x.bmp' is damaged: a run beyond the end of row 0");
    CHECK(error_with(rle8("\3\4")).find("is truncated") != std::string::npos);
    CHECK(error_with(rle8(std::string("\3\4\0\0\3\0\0\1", 8))) ==
          "'x.bmp' is damaged: colour 4 of a palette of 4");
    Bmp down = rle4;
    down.height = -2;
    CHECK(error_with(down) == "'x.bmp' is damaged: run-length coding from top to bottom");
    const std::string whole = rle4.file();
    for (size_t n = 0; n + 2 < whole.size(); ++n)  // without the end of the picture, all pixels are there
        CHECK(error_of([&] { decode(whole.substr(0, n)); }) != "(no error)");
}

TEST_CASE("BMPs that are not read are named", "[io][image][bmp]") {
    const auto error = [](uint32_t version, int bits, uint32_t compression) {
        return error_with({.version = version,
                           .bits = bits,
                           .compression = compression,
                           .palette = kPalette,
                           .pixels = std::string(64, '\0')});
    };
    CHECK(error(40, 2, 0) == "'x.bmp' cannot be read: a BMP of 2 bits per pixel");
    CHECK(error(40, 24, 4) == "'x.bmp' cannot be read: a JPEG inside of a BMP; save it again as PNG");
    CHECK(error(40, 24, 5) == "'x.bmp' cannot be read: a PNG inside of a BMP; save it again as PNG");
    CHECK(error(40, 24, 11) == "'x.bmp' cannot be read: a BMP of compression 11; save it again as PNG");
    CHECK(error(64, 1, 3) == "'x.bmp' cannot be read: an OS/2 BMP of compression 3; save it again as PNG");
    CHECK(error(64, 24, 4) == "'x.bmp' cannot be read: an OS/2 BMP of compression 4; save it again as PNG");
    CHECK(error(40, 24, 1) == "'x.bmp' is damaged: run-length coding 1 of 24 bits per pixel");
}

TEST_CASE("a BMP cut anywhere is refused", "[io][image][bmp]") {
    const std::string masks = little(0xF800, 4) + little(0x7E0, 4) + little(0x1F, 4) + little(0, 4);
    const Bmp kinds[] = {
        {.version = 12, .bits = 8, .palette = kPalette3, .pixels = std::string(8, '\0')},
        {.version = 16, .pixels = kRows24},
        {.bits = 8, .palette = kPalette, .pixels = std::string(8, '\0')},
        {.bits = 16, .compression = 6, .behind_header = masks, .pixels = std::string(8, '\0')},
        {.version = 56, .bits = 16, .compression = 3, .behind_header = masks, .pixels = std::string(8, '\0')},
        {.version = 64,
         .bits = 8,
         .compression = 1,
         .palette = kPalette,
         .pixels = std::string("\2\0\0\0\2\0\0\0", 8)},
        {.version = 124, .bits = 32, .pixels = std::string(16, '\0')},
    };
    for (const Bmp& kind : kinds) {
        const std::string file = kind.file();
        CHECK(decode(file).width == 2);
        for (size_t n = 0; n < file.size(); ++n)
            CHECK(error_of([&] { decode(file.substr(0, n)); }) != "(no error)");
    }
}

TEST_CASE("BMP: the profile behind a header of version 5 is found", "[io][image][bmp]") {
    std::string fields = std::string(16 - 4 * 4, '\0') + std::string(16, '\0');  // masks
    fields += "DEBM" + std::string(48, '\0') + little(4, 4);                     // kind of colours … intent
    std::string file = Bmp{.version = 124,
                           .behind_header = fields + little(124 + 16, 4) + little(5, 4) + little(0, 4),
                           .pixels = kRows24}
                           .file();
    file += "ICC!!";
    const Raster raster = decode_bmp(bytes_of(file), "x.bmp", {});
    CHECK(raster.profile.size() == 5);
    CHECK(static_cast<char>(raster.profile[0]) == 'I');
    CHECK(error_of([&] { decode_bmp(bytes_of(file.substr(0, file.size() - 1)), "x.bmp", {}); }) ==
          "'x.bmp' is damaged: its colour profile is not in the file");
}

}  // namespace
}  // namespace lily::io
