// SPDX-License-Identifier: MIT
#include "framework/io/gif.h"

#include <gif_lib.h>

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

TEST_CASE("gif: what cannot be written is refused, and leaves nothing", "[io][gif]") {
    const ScratchFolder folder;
    const auto error = [&](const std::vector<Image>& frames, int delay = 2) {
        return error_of([&] { save_gif(folder / "a.gif", frames, delay); });
    };
    CHECK_THAT(error({}), ContainsSubstring("at least one frame"));
    CHECK_THAT(error({Image(2, 2, 3)}), ContainsSubstring("expected grey frames of 2x2"));
    CHECK_THAT(error({Image(2, 2, 1), Image(2, 3, 1)}), ContainsSubstring("got 2x3"));
    for (const int delay : {-1, 0, 1, 65536})
        CHECK_THAT(error({Image(2, 2, 1)}, delay), ContainsSubstring("a delay of 2 to 65535"));
    CHECK_THAT(error({Image(70000, 1, 1)}), ContainsSubstring("1 to 65535"));
    CHECK_THAT(error_of([&] { save_gif(folder / "no/a.gif", {Image(1, 1, 1)}, 2); }),
               ContainsSubstring("does not exist"));
    CHECK(folder.listing().empty());
}

}  // namespace lily::io
