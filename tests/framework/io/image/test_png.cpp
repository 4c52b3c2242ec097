// SPDX-License-Identifier: MIT
#include "framework/io/image/png.h"

#include <spng.h>
#include <zlib.h>

#include <cstdlib>

#include "framework/io/image_ops.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Pixels = std::vector<uint8_t>;

Raster decode(const std::string& file) { return decode_png(bytes_of(file), "x.png", {}); }

// A PNG written by libspng.
template <class T>
std::string encode(uint32_t width, uint32_t height, int colour_type, int bits, const std::vector<T>& samples,
                   int interlace, const spng_trns* transparent = nullptr) {
    spng_ctx* png = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    spng_ihdr ihdr{};
    ihdr.width = width, ihdr.height = height;
    ihdr.color_type = static_cast<uint8_t>(colour_type), ihdr.bit_depth = static_cast<uint8_t>(bits);
    ihdr.interlace_method = static_cast<uint8_t>(interlace);
    REQUIRE(spng_set_ihdr(png, &ihdr) == 0);
    if (transparent != nullptr) {
        spng_trns trns = *transparent;
        REQUIRE(spng_set_trns(png, &trns) == 0);
    }
    REQUIRE(spng_encode_image(png, samples.data(), samples.size() * sizeof(T), SPNG_FMT_PNG,
                              SPNG_ENCODE_FINALIZE) == 0);
    size_t size = 0;
    int error = 0;
    void* file = spng_get_png_buffer(png, &size, &error);
    std::string text(static_cast<const char*>(file), size);
    std::free(file);
    spng_ctx_free(png);
    return text;
}

template <class T>
std::vector<T> noise(size_t n) {
    std::vector<T> values(n);
    uint32_t state = 3;
    for (T& value : values) value = static_cast<T>((state = state * 1664525 + 1013904223) >> 13);
    return values;
}

TEST_CASE("PNG: every kind of sample at 8 and 16 bits, interlaced or not", "[io][image][png]") {
    for (const auto& [type, samples] : {std::pair(0, 1), {4, 2}, {2, 3}, {6, 4}}) {
        for (const int interlace : {0, 1}) {
            INFO("colour type " << type << ", interlace " << interlace);
            const auto n = static_cast<size_t>(19 * 11 * samples);
            const auto bytes = noise<uint8_t>(n);
            const Raster eight = decode(encode(19, 11, type, 8, bytes, interlace));
            CHECK(eight.bits == 8);
            CHECK(eight.samples() == samples);
            CHECK(eight.has_alpha == (type >= 4));
            CHECK(eight.samples8 == bytes);
            const auto words = noise<uint16_t>(n);
            const Raster sixteen = decode(encode(19, 11, type, 16, words, interlace));
            CHECK(sixteen.bits == 16);
            CHECK(sixteen.samples() == samples);
            CHECK(sixteen.samples16 == words);
        }
    }
}

TEST_CASE("PNG: 1, 2 and 4 bits are spread over 0 to 255", "[io][image][png]") {
    CHECK(decode(bytes::png(4, 1, 1, 0, std::string("\0\x50", 2))).samples8 == Pixels{0, 255, 0, 255});
    CHECK(decode(bytes::png(4, 1, 2, 0, std::string("\0\x1B", 2))).samples8 == Pixels{0, 85, 170, 255});
    CHECK(decode(bytes::png(2, 1, 4, 0, std::string("\0\x3F", 2))).samples8 == Pixels{51, 255});
    const std::string palette = bytes::png_chunk("PLTE", "\1\2\3\4\5\6");
    CHECK(decode(bytes::png(4, 1, 1, 3, std::string("\0\x50", 2), palette)).samples8 ==
          Pixels{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("PNG: one colour may be transparent", "[io][image][png]") {
    const std::string grey = bytes::png_chunk("tRNS", std::string("\0\x02", 2));
    CHECK(decode(bytes::png(2, 1, 8, 0, std::string("\0\1\2", 3), grey)).samples8 == Pixels{1, 255, 2, 0});
    CHECK(decode(bytes::png(2, 1, 4, 0, std::string("\0\x12", 2), grey)).samples8 == Pixels{17, 255, 34, 0});
    const std::string deep = bytes::png_chunk("tRNS", "\x12\x34");
    CHECK(decode(bytes::png(2, 1, 16, 0, std::string("\0\x12\x34\x12\x35", 5), deep)).samples16 ==
          std::vector<uint16_t>{0x1234, 0, 0x1235, 65535});
    const std::string rgb = bytes::png_chunk("tRNS", std::string("\0\1\0\2\0\3", 6));
    CHECK(decode(bytes::png(2, 1, 8, 2, std::string("\0\1\2\3\1\2\4", 7), rgb)).samples8 ==
          Pixels{1, 2, 3, 0, 1, 2, 4, 255});
    spng_trns transparent{};
    transparent.red = 1, transparent.green = 2, transparent.blue = 3;
    const std::vector<uint16_t> two = {1, 2, 3, 1, 2, 4};
    CHECK(decode(encode(2, 1, 2, 16, two, 0, &transparent)).samples16 ==
          std::vector<uint16_t>{1, 2, 3, 0, 1, 2, 4, 65535});
}

TEST_CASE("PNG: an index past the palette is black", "[io][image][png]") {
    const std::string palette = bytes::png_chunk("PLTE", "\1\2\3\4\5\6");
    CHECK(decode(bytes::png(3, 1, 8, 3, std::string("\0\1\2\xFF", 4), palette)).samples8 ==
          Pixels{4, 5, 6, 0, 0, 0, 0, 0, 0});
    const std::string clear = palette + bytes::png_chunk("tRNS", std::string("\x80", 1));
    CHECK(decode(bytes::png(3, 1, 8, 3, std::string("\0\0\1\xFF", 4), clear)).samples8 ==
          Pixels{1, 2, 3, 128, 4, 5, 6, 255, 0, 0, 0, 255});
    CHECK(error_of([] { decode(bytes::png(1, 1, 8, 3, std::string("\0\0", 2))); }).find("is damaged") !=
          std::string::npos);
}

TEST_CASE("PNG: pixels that are not all there are an error", "[io][image][png]") {
    const auto rows = noise<uint8_t>(40 * 41);
    std::string packed(compressBound(rows.size()), '\0');
    for (const int interlace : {0, 1}) {
        const std::string file = encode(40, 40, 0, 8, noise<uint8_t>(1600), interlace);
        const size_t at = file.find("IDAT") + 4;
        const size_t size = file.size() - 12 - 4 - at;
        // The data end early, in chunks that are whole. The last 4 bytes are a checksum of what is there
        // already.
        for (size_t n = 0; n + 5 < size; ++n) {
            const std::string cut = file.substr(0, at - 8) + bytes::png_chunk("IDAT", file.substr(at, n)) +
                                    bytes::png_chunk("IEND", "");
            const std::string error = error_of([&] { decode(cut); });
            CHECK(error.find("'x.png' is damaged: ") == 0);
        }
    }
    // Fewer rows than the header says.
    uLongf size = packed.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, rows.data(), 41 * 39) == Z_OK);
    CHECK(error_of([&] {
              decode(bytes::png_of_packed(40, 40, 8, 0, packed.substr(0, size)));
          }).find("'x.png' is damaged: ") == 0);
}

TEST_CASE("PNG: XMP's orientation, plain and packed", "[io][image][png]") {
    const std::string packet = "<x><rdf:Description tiff:Orientation=\"6\"/></x>";
    const std::string head("XML:com.adobe.xmp\0", 18);
    const auto with = [&](const std::string& text) {
        return decode(bytes::png(2, 1, 8, 0, std::string("\0\1\2", 3), bytes::png_chunk("iTXt", text)))
            .orientation;
    };
    CHECK(with(head + std::string(4, '\0') + packet) == 6);
    std::string packed(compressBound(packet.size()), '\0');
    uLongf size = packed.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(packet.data()), packet.size()) == Z_OK);
    CHECK(with(head + std::string("\1\0\0\0", 4) + packed.substr(0, size)) == 6);
    CHECK(with(std::string("Comment\0", 8) + std::string(4, '\0') + packet) == 1);
    CHECK(with(head + std::string("\1\0\0\0", 4) + "no zlib stream") == 1);
}

TEST_CASE("PNG: Apple's private variant is named, and an animation's still picture is read",
          "[io][image][png]") {
    const std::string file = bytes::png(2, 1, 8, 0, std::string("\0\1\2", 3));
    const std::string apple =
        file.substr(0, 8) + bytes::png_chunk("CgBI", std::string(4, '\0')) + file.substr(8);
    CHECK(error_of([&] { decode(apple); }) ==
          "'x.png' cannot be read: Apple's private PNG variant; save it again as a standard PNG");
    const std::string animated = bytes::png(2, 1, 8, 0, std::string("\0\1\2", 3),
                                            bytes::png_chunk("acTL", std::string("\0\0\0\2\0\0\0\0", 8)));
    CHECK(decode(animated).samples8 == Pixels{1, 2});
}

}  // namespace
}  // namespace lily::io
