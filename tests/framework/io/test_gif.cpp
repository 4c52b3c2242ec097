// SPDX-License-Identifier: MIT
#include "framework/io/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <cmath>

#include "framework/io/palette.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

Image noise(int width, int height, unsigned seed) {
    Image image(width, height, 1);
    for (uint8_t& p : image.pixels) p = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
    return image;
}

}  // namespace

TEST_CASE("gif: frames, delay and loop come back from giflib's reader", "[io][gif]") {
    const ScratchFolder folder;
    const std::vector<Image> frames = {noise(50, 37, 1), noise(50, 37, 2), Image(50, 37, 1, 255)};
    save_gif(folder / "a.gif", frames, 7);
    CHECK(folder.listing() == "a.gif");
    int error = 0;
    GifFileType* file = DGifOpenFileName((folder / "a.gif").c_str(), &error);
    REQUIRE(file != nullptr);
    REQUIRE(DGifSlurp(file) == GIF_OK);
    CHECK(file->SWidth == 50);
    CHECK(file->SHeight == 37);
    REQUIRE(file->ImageCount == 3);
    for (int f = 0; f < 3; ++f) {
        const SavedImage& saved = file->SavedImages[f];
        std::vector<uint8_t> greys;
        for (int i = 0; i < 50 * 37; ++i) {
            const GifColorType c = file->SColorMap->Colors[saved.RasterBits[i]];
            CHECK((c.Red == c.Green && c.Green == c.Blue));
            greys.push_back(c.Red);
        }
        CHECK(greys == frames[static_cast<size_t>(f)].pixels);
        GraphicsControlBlock control;
        REQUIRE(DGifSavedExtensionToGCB(file, f, &control) == GIF_OK);
        CHECK(control.DelayTime == 7);
        CHECK(control.TransparentColor == NO_TRANSPARENT_COLOR);
    }
    DGifCloseFile(file, &error);
    const std::string bytes = text_of(folder / "a.gif");
    CHECK(bytes.starts_with("GIF89a"));
    CHECK(bytes.find("NETSCAPE2.0") != std::string::npos);
}

// The frames of a file, RGB.
std::vector<Image> frames_of(const std::string& path) {
    int error = 0;
    GifFileType* file = DGifOpenFileName(path.c_str(), &error);
    REQUIRE(file != nullptr);
    REQUIRE(DGifSlurp(file) == GIF_OK);
    std::vector<Image> frames;
    for (int f = 0; f < file->ImageCount; ++f) {
        Image frame(file->SWidth, file->SHeight, 3);
        for (size_t i = 0; i < frame.pixels.size() / 3; ++i) {
            const GifColorType c = file->SColorMap->Colors[file->SavedImages[f].RasterBits[i]];
            frame.pixels[3 * i] = c.Red;
            frame.pixels[3 * i + 1] = c.Green;
            frame.pixels[3 * i + 2] = c.Blue;
        }
        frames.push_back(std::move(frame));
    }
    DGifCloseFile(file, &error);
    return frames;
}

TEST_CASE("gif: 256 colours are kept exactly", "[io][gif]") {
    const ScratchFolder folder;
    std::vector<Image> frames(2, Image(16, 16, 3));
    for (int f = 0; f < 2; ++f)
        for (size_t i = 0; i < 256; ++i) {  // half of them in both
            const auto k = static_cast<uint8_t>((i / 2 * 2 + static_cast<size_t>(f) * (i & 1)) % 256);
            const uint8_t colour[] = {static_cast<uint8_t>(3 * k), static_cast<uint8_t>(255 - k), k};
            std::copy_n(colour, 3, &frames[static_cast<size_t>(f)].pixels[3 * i]);
        }
    save_gif(folder / "a.gif", frames, 5);
    const std::vector<Image> back = frames_of(folder / "a.gif");
    REQUIRE(back.size() == 2);
    for (size_t f = 0; f < 2; ++f) CHECK(back[f].pixels == frames[f].pixels);
}

TEST_CASE("gif: many colours are brought to the nearest of 256, the same in every frame", "[io][gif]") {
    const ScratchFolder folder;
    std::vector<Image> frames;
    for (int f = 0; f < 3; ++f) {
        Image frame(64, 64, 3);
        for (int y = 0; y < 64; ++y)
            for (int x = 0; x < 64; ++x) {
                uint8_t* p = frame.at(y, x);
                p[0] = static_cast<uint8_t>(4 * x);
                p[1] = static_cast<uint8_t>(4 * y);
                p[2] = static_cast<uint8_t>(y < 32 ? 80 : 60 * f);  // the upper half stays
            }
        frames.push_back(std::move(frame));
    }
    if (imagequant_version().empty()) {
        CHECK_THAT(error_of([&] { save_gif(folder / "a.gif", frames, 5); }),
                   ContainsSubstring("install libimagequant-dev"));
        CHECK(folder.listing().empty());
        return;
    }
    save_gif(folder / "a.gif", frames, 5);
    const std::vector<Image> back = frames_of(folder / "a.gif");
    REQUIRE(back.size() == 3);
    for (size_t f = 0; f < 3; ++f) {
        double squares = 0;
        for (size_t i = 0; i < back[f].pixels.size(); ++i) {
            const double by = double(back[f].pixels[i]) - double(frames[f].pixels[i]);
            squares += by * by;
        }
        // 256 colours for 4 planes of 256x256 or 256x128: squares of some 30 a side, 9 rms in two channels.
        CHECK(std::sqrt(squares / static_cast<double>(back[f].pixels.size())) <= 9);
        CHECK(
            std::equal(back[f].pixels.begin(), back[f].pixels.begin() + 32 * 64 * 3, back[0].pixels.begin()));
    }
    save_gif(folder / "b.gif", frames, 5);
    CHECK(text_of(folder / "a.gif") == text_of(folder / "b.gif"));
}

TEST_CASE("gif: what cannot be written is refused, and leaves nothing", "[io][gif]") {
    const ScratchFolder folder;
    const auto error = [&](const std::vector<Image>& frames, int delay = 2) {
        return error_of([&] { save_gif(folder / "a.gif", frames, delay); });
    };
    CHECK_THAT(error({}), ContainsSubstring("at least one frame"));
    CHECK_THAT(error({Image(2, 2, 4)}), ContainsSubstring("expected grey or RGB pictures"));
    CHECK_THAT(error({Image(2, 2, 1), Image(2, 3, 1)}), ContainsSubstring("got 2x3"));
    CHECK_THAT(error({Image(2, 2, 3), Image(2, 2, 1)}),
               ContainsSubstring("2x2 with 3 channels, got 2x2 with 1"));
    for (const int delay : {-1, 0, 1, 65536})
        CHECK_THAT(error({Image(2, 2, 1)}, delay), ContainsSubstring("a delay of 2 to 65535"));
    CHECK_THAT(error({Image(70000, 1, 1)}), ContainsSubstring("1 to 65535"));
    CHECK_THAT(error_of([&] { save_gif(folder / "no/a.gif", {Image(1, 1, 1)}, 2); }),
               ContainsSubstring("does not exist"));
    CHECK(folder.listing().empty());
}

}  // namespace lily::io
