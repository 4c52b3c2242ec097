// SPDX-License-Identifier: MIT
#include "framework/io/image/gif.h"

#include <gif_lib.h>

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

// giflib's encoder, writing into a string. The palette has four colours: red, green, blue, white.
class GifWriter {
  public:
    GifWriter(int width, int height, bool global_palette = true) {
        const auto append = [](GifFileType* file, const GifByteType* data, int size) {
            static_cast<std::string*>(file->UserData)
                ->append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
            return size;
        };
        int error = 0;
        file_ = EGifOpen(&bytes_, append, &error);
        REQUIRE(file_ != nullptr);
        EGifSetGifVersion(file_, true);
        const GifColorType colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
        palette_ = GifMakeMapObject(4, colours);
        REQUIRE(EGifPutScreenDesc(file_, width, height, 8, 0, global_palette ? palette_ : nullptr) == GIF_OK);
    }
    void transparent(int index) {
        const GraphicsControlBlock control{DISPOSE_DO_NOT, false, 0, index};
        GifByteType extension[4];
        const size_t size = EGifGCBToExtension(&control, extension);
        REQUIRE(EGifPutExtension(file_, GRAPHICS_EXT_FUNC_CODE, static_cast<int>(size), extension) == GIF_OK);
    }
    void frame(int left, int top, int width, int height, std::vector<GifByteType> indices,
               bool interlaced = false, bool own_palette = false) {
        REQUIRE(EGifPutImageDesc(file_, left, top, width, height, interlaced,
                                 own_palette ? palette_ : nullptr) == GIF_OK);
        for (int y = 0; y < height; ++y)
            REQUIRE(EGifPutLine(file_, indices.data() + y * width, width) == GIF_OK);
    }
    std::string finish() {
        GifFreeMapObject(palette_);
        int error = 0;
        REQUIRE(EGifCloseFile(file_, &error) == GIF_OK);
        return bytes_;
    }

  private:
    std::string bytes_;
    GifFileType* file_ = nullptr;
    ColorMapObject* palette_ = nullptr;
};

Image decode(const std::string& file, std::vector<std::string>* remarks = nullptr) {
    return decode_image(bytes_of(file), "x.gif", {.remarks = remarks});
}

TEST_CASE("GIF: opaque, transparent, off the canvas, animated", "[io][image][gif]") {
    GifWriter opaque(2, 2);
    opaque.frame(0, 0, 2, 2, {0, 1, 2, 3});
    const Image image = decode(opaque.finish());
    CHECK(image.channels == 3);
    CHECK(image.pixels == std::vector<uint8_t>{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255});

    GifWriter clear(2, 1, false);
    clear.transparent(1);
    clear.frame(0, 0, 2, 1, {0, 1}, false, true);
    CHECK(decode(clear.finish()).pixels == std::vector<uint8_t>{255, 0, 0, 255, 0, 0, 0, 0});

    // A frame of 2 x 2 at (1, 0) of a canvas of 2 x 2: its right column is cut off, the left of the canvas
    // free.
    GifWriter beside(2, 2);
    beside.frame(1, 0, 2, 2, {2, 0, 1, 0});
    CHECK(decode(beside.finish()).pixels ==
          std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 255, 0, 255});

    GifWriter animated(1, 1);
    animated.frame(0, 0, 1, 1, {1});
    animated.transparent(2);
    animated.frame(0, 0, 1, 1, {2});
    std::vector<std::string> remarks;
    CHECK(decode(animated.finish(), &remarks).pixels == std::vector<uint8_t>{0, 255, 0});
    CHECK(remarks == std::vector<std::string>{"'x.gif': an animation: its first picture is taken"});

    GifWriter sizeless(0, 0);
    sizeless.frame(0, 0, 2, 1, {3, 0});
    CHECK(decode(sizeless.finish()).width == 2);
}

TEST_CASE("GIF: interlaced rows find their places", "[io][image][gif]") {
    constexpr int kHeight = 21;
    std::vector<GifByteType> rows;  // as they are stored: 0, 8, 16, 4, 12, 20, 2, 6, …, 1, 3, …
    for (const auto& [first, step] : {std::pair(0, 8), {4, 8}, {2, 4}, {1, 2}})
        for (int y = first; y < kHeight; y += step) rows.push_back(static_cast<GifByteType>(y % 4));
    GifWriter writer(1, kHeight);
    writer.frame(0, 0, 1, kHeight, rows, true);
    const Image image = decode(writer.finish());
    for (int y = 0; y < kHeight; ++y) {
        INFO("row " << y);
        CHECK(image.at(y, 0)[0] == (y % 4 == 0 || y % 4 == 3 ? 255 : 0));
        CHECK(image.at(y, 0)[1] == (y % 4 == 1 || y % 4 == 3 ? 255 : 0));
    }
}

TEST_CASE("GIF: what was cut off is refused, an index past the palette is black", "[io][image][gif]") {
    GifWriter writer(16, 16);
    std::vector<GifByteType> indices;
    for (int i = 0; i < 256; ++i) indices.push_back(static_cast<GifByteType>(i * i % 4));
    writer.frame(0, 0, 16, 16, indices);
    writer.frame(0, 0, 16, 16, indices);
    const std::string file = writer.finish();
    CHECK(decode(file).width == 16);
    for (size_t n = 6; n < file.size(); ++n)
        REQUIRE_THAT(error_of([&] { decode(file.substr(0, n)); }), ContainsSubstring("x.gif' is truncated"));
    CHECK(decode(file + "behind the end").width == 16);

    std::string two_colours = file;  // a palette of two entries, moved up to where the four were
    two_colours[10] = static_cast<char>(two_colours[10] & ~7);
    two_colours.erase(13 + 6, 6);
    const Image image = decode(two_colours);
    CHECK(std::vector<uint8_t>(image.pixels.begin(), image.pixels.begin() + 3) ==
          std::vector<uint8_t>{255, 0, 0});

    std::string wide = file;  // 65535 x 65535
    wide[6] = wide[7] = wide[8] = wide[9] = '\xFF';
    CHECK_THAT(error_of([&] { decode(wide); }), ContainsSubstring("is too large: 65535 x 65535 pixels"));
    CHECK_THAT(error_of([] { decode("GIF89a" + std::string("\1\0\1\0\0\0\0;", 8)); }),
               ContainsSubstring("a GIF without a picture"));
}

}  // namespace
}  // namespace lily::io
