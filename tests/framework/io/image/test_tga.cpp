// SPDX-License-Identifier: MIT
#include "framework/io/image/tga.h"

#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

Raster decode(const std::string& file) { return decode_tga(bytes_of(file), "x.tga", {}); }

// `descriptor`: byte 17 of the header; 0x20 from the top, 0x10 from the right, low bits: how many are alpha.
std::string tga(int type, int width, int height, int bits, const std::string& pixels, char descriptor) {
    std::string file = bytes::tga(type, width, height, bits, pixels);
    file[17] = descriptor;
    return file;
}

// With an extension area of version 2 that says what the fourth byte is.
std::string with_kind_of_alpha(const std::string& file, char kind) {
    return file + std::string(494, '\0') + kind + bytes::little(file.size(), 4) + bytes::little(0, 4) +
           std::string("TRUEVISION-XFILE.\0", 18);
}

TEST_CASE("TGA: stored from any of the four corners", "[io][image][tga]") {
    const std::string pixels = "\1\2\3\4\5\6\x11\x12\x13\x14\x15\x16";  // BGR, two rows of two
    using Pixels = std::vector<uint8_t>;
    CHECK(decode(tga(2, 2, 2, 24, pixels, 0x20)).samples8 ==
          Pixels{3, 2, 1, 6, 5, 4, 19, 18, 17, 22, 21, 20});
    CHECK(decode(tga(2, 2, 2, 24, pixels, 0x30)).samples8 ==
          Pixels{6, 5, 4, 3, 2, 1, 22, 21, 20, 19, 18, 17});
    CHECK(decode(tga(2, 2, 2, 24, pixels, 0x00)).samples8 ==
          Pixels{19, 18, 17, 22, 21, 20, 3, 2, 1, 6, 5, 4});
    CHECK(decode(tga(2, 2, 2, 24, pixels, 0x10)).samples8 ==
          Pixels{22, 21, 20, 19, 18, 17, 6, 5, 4, 3, 2, 1});
    CHECK(error_of([&] { decode(tga(2, 2, 2, 24, pixels, 0x60)); }) ==
          "'x.tga' cannot be read: a TGA of interleaved rows; save it again without");
}

TEST_CASE("TGA: what the fourth byte is", "[io][image][tga]") {
    using Pixels = std::vector<uint8_t>;
    const std::string file = tga(2, 2, 1, 32, std::string("\x10\x20\x40\x80\1\2\3\0", 8), 0x28);
    CHECK(decode(file).samples8 == Pixels{64, 32, 16, 128, 3, 2, 1, 0});
    CHECK(decode(with_kind_of_alpha(file, 3)).samples8 == Pixels{64, 32, 16, 128, 3, 2, 1, 0});
    CHECK(decode(with_kind_of_alpha(file, 0)).samples8 == Pixels{64, 32, 16, 255, 3, 2, 1, 255});
    CHECK(decode(with_kind_of_alpha(file, 2)).samples8 == Pixels{64, 32, 16, 255, 3, 2, 1, 255});
    CHECK(decode(with_kind_of_alpha(file, 4)).samples8 == Pixels{128, 64, 32, 128, 3, 2, 1, 0});
    const Raster raster = decode(tga(2, 1, 1, 16, bytes::little(31 << 10 | 1 << 15, 2), 0x21));
    CHECK(raster.samples8 == Pixels{255, 0, 0});
    CHECK(raster.remarks == std::vector<std::string>{"the alpha bit of its 16-bit pixels is left out"});
}

TEST_CASE("TGA: palettes, grey, runs", "[io][image][tga]") {
    using Pixels = std::vector<uint8_t>;
    const auto indexed = [](int type, const std::string& indices) {
        std::string file = bytes::tga(type, 3, 1, 8, "\1\2\3\4\5\6" + indices);
        file[1] = '\1', file[5] = '\2', file[7] = '\x18';  // a map of two entries of 24 bits
        return file;
    };
    CHECK(decode(indexed(1, std::string("\0\1\0", 3))).samples8 == Pixels{3, 2, 1, 6, 5, 4, 3, 2, 1});
    CHECK(decode(indexed(9, std::string("\x81\1\0\0", 4))).samples8 == Pixels{6, 5, 4, 6, 5, 4, 3, 2, 1});
    CHECK(error_of([&] { decode(indexed(1, std::string("\0\2\0", 3))); }) ==
          "'x.tga' is damaged: colour 2 of a palette of 2");
    CHECK(error_of([&] { decode(indexed(9, std::string("\x81\1\0\2", 4))); }) ==
          "'x.tga' is damaged: colour 2 of a palette of 2");
    CHECK(decode(bytes::tga(3, 2, 1, 16, "\1\x80\2\xFF")).samples8 == Pixels{1, 128, 2, 255});
    CHECK(decode(bytes::tga(11, 3, 1, 8, std::string("\x81\7\0\x9", 4))).samples8 == Pixels{7, 7, 9});
}

}  // namespace
}  // namespace lily::io
