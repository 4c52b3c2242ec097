// SPDX-License-Identifier: MIT
#include "framework/io/image.h"

#include <cstdlib>

#include "framework/io/image_ops.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

Image decode(const std::string& file, const std::string& name = "x.png", const ImageOptions& options = {}) {
    return decode_image(bytes_of(file), name, options);
}

// Smooth, with every channel different: survives JPEG.
Image gradient(int width, int height, int channels) {
    Image image(width, height, channels);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < channels; ++c)
                image.at(y, x)[c] =
                    static_cast<uint8_t>(40 + (x * 100 / width + y * 80 / height) * (c + 2) / 6);
    return image;
}

int largest_difference(const Image& a, const Image& b) {
    REQUIRE(a.width == b.width);
    REQUIRE(a.height == b.height);
    REQUIRE(a.channels == b.channels);
    int largest = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i)
        largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
    return largest;
}

TEST_CASE("PNG round trip keeps every pixel", "[io][image]") {
    const ScratchFolder dir;
    for (const int channels : {1, 2, 3, 4}) {
        for (const int width : {1, 7, 64}) {
            const Image image = gradient(width, 5, channels);
            save_image(dir / "x.PNG", image);
            CHECK(largest_difference(load_image(dir / "x.PNG"), image) == 0);
        }
    }
    CHECK(dir.listing() == "x.PNG");
}

TEST_CASE("JPEG round trip; alpha is put on white", "[io][image]") {
    const ScratchFolder dir;
    for (const int channels : {1, 3}) {
        const Image image = gradient(61, 33, channels);
        save_image(dir / "x.jpg", image);
        // The encoder writes grey as three equal channels.
        CHECK(largest_difference(load_image(dir / "x.jpg"), grey_to_rgb(image)) <= 6);
        save_image(dir / "low.jpeg", image, 20);
        CHECK(std::filesystem::file_size(dir / "low.jpeg") < std::filesystem::file_size(dir / "x.jpg"));
    }
    Image clear(16, 16, 4, 0);  // black, fully transparent
    save_image(dir / "a.jpg", clear);
    CHECK(largest_difference(load_image(dir / "a.jpg"), Image(16, 16, 3, 255)) <= 1);
    save_image(dir / "b.jpg", Image(16, 16, 2, 0));
    CHECK(largest_difference(load_image(dir / "b.jpg"), Image(16, 16, 3, 255)) <= 1);
}

TEST_CASE("save_image refuses what it cannot write", "[io][image]") {
    const ScratchFolder dir;
    const Image image = gradient(4, 4, 3);
    CHECK(error_of([&] { save_image("x.gif", image); }) ==
          "cannot save 'x.gif': pictures are written as .png, .jpg or .jpeg");
    CHECK(error_of([&] { check_can_save_image(dir / "x"); }).find("pictures are written as") !=
          std::string::npos);
    CHECK(error_of([&] { check_can_save_image(dir / "no/x.png"); }).find("does not exist") !=
          std::string::npos);
    CHECK(error_of([&] { save_image(dir / "x.png", image, 0); }).find("quality is 1..100") !=
          std::string::npos);
    CHECK(error_of([&] { save_image(dir / "x.jpg", Image(65536, 1, 1)); }).find("65535") !=
          std::string::npos);
    Image broken = image;
    broken.pixels.pop_back();
    CHECK(error_of([&] { save_image(dir / "x.png", broken); }).find("does not fit") != std::string::npos);
    CHECK(error_of([] { Image(0, 5, 3); }).find("make no picture") != std::string::npos);
    check_can_save_image(dir / "x.png");
    CHECK(dir.listing().empty());
    std::filesystem::create_symlink("/dev/full", dir / "full.png");
    CHECK(error_of([&] { save_image(dir / "full.png", image); }) ==
          "cannot write '" + dir / "full.png" + "': No space left on device");
}

TEST_CASE("PNG variants: 16 bits, palette, transparency, checksums of optional chunks", "[io][image]") {
    const Image deep = decode(bytes::png(2, 1, 16, 0, std::string("\0\x12\x34\xFF\x80", 5)));
    CHECK(deep.channels == 1);
    CHECK(deep.pixels == std::vector<uint8_t>{0x12, 0xFF});

    const std::string palette = bytes::png_chunk("PLTE", std::string("\x01\x02\x03\x0A\x0B\x0C", 6));
    const Image indexed = decode(bytes::png(2, 1, 8, 3, std::string("\0\1\0", 3), palette));
    CHECK(indexed.channels == 3);
    CHECK(indexed.pixels == std::vector<uint8_t>{10, 11, 12, 1, 2, 3});

    const std::string clear_first = palette + bytes::png_chunk("tRNS", std::string(1, '\0'));
    const Image transparent = decode(bytes::png(2, 1, 8, 3, std::string("\0\1\0", 3), clear_first));
    CHECK(transparent.channels == 4);
    CHECK(transparent.pixels == std::vector<uint8_t>{10, 11, 12, 255, 1, 2, 3, 0});

    std::string text = bytes::png_chunk("tEXt", "Comment");
    text.back() = static_cast<char>(text.back() ^ 1);
    CHECK(decode(bytes::png(1, 1, 8, 0, std::string("\0\x07", 2), text)).pixels == std::vector<uint8_t>{7});
}

TEST_CASE("BMP and TGA", "[io][image]") {
    // Bottom row first, BGR, padded to 4 bytes.
    const Image bmp = decode(bytes::bmp(1, 2, std::string("\1\2\3\0\4\5\6\0", 8)), "x.bmp");
    CHECK(bmp.channels == 3);
    CHECK(bmp.pixels == std::vector<uint8_t>{6, 5, 4, 3, 2, 1});
    const Image indexed =
        decode(bytes::bmp(2, -1, std::string("\1\0\0\0", 4), std::string("\1\2\3\0\4\5\6\0", 8)));
    CHECK(indexed.pixels == std::vector<uint8_t>{6, 5, 4, 3, 2, 1});
    CHECK(error_of([] { decode(bytes::bmp(2, 1, std::string("\2\0\0\0", 4), std::string(8, '\1'))); }) ==
          "'x.png' is damaged: colour 2 of a palette of 2");

    const Image grey = decode(bytes::tga(3, 2, 1, 8, "\x0B\x16"), "x.TGA");
    CHECK(grey.pixels == std::vector<uint8_t>{11, 22});
    const Image runs = decode(bytes::tga(10, 3, 1, 24, std::string("\x81\1\2\3\0\4\5\6", 8)), "x.tga");
    CHECK(runs.pixels == std::vector<uint8_t>{3, 2, 1, 3, 2, 1, 6, 5, 4});
    // Fourth byte of every pixel zero: padding, not a picture of nothing.
    const Image padded = decode(bytes::tga(2, 1, 1, 32, std::string("\1\2\3\0", 4)), "x.tga");
    CHECK(padded.pixels == std::vector<uint8_t>{3, 2, 1, 255});
    std::string mapped = bytes::tga(1, 2, 1, 8, std::string(8, '\0'));  // a map of no entries of 24 bits
    mapped[1] = '\1', mapped[7] = '\x18';
    CHECK(error_of([&] { decode(mapped, "x.tga"); }) ==
          "'x.tga' cannot be read: an unusual colour map; save it without one");
    // Without the extension nothing says that it is a TGA.
    CHECK(error_of([] { decode(bytes::tga(3, 2, 1, 8, "\x0B\x16"), "x.dat"); }) ==
          "'x.dat' is not a picture (read are PNG, JPEG, BMP, TGA, GIF, WebP and TIFF)");
}

TEST_CASE("EXIF orientations 1 to 8 are turned upright", "[io][image]") {
    const ScratchFolder dir;
    Image stored(48, 32, 3, 128);  // corners: (0,0) red, (0,W-1) green; the rest grey
    for (int y = 0; y < 16; ++y) {
        for (int x = 0; x < 16; ++x) {
            stored.at(y, x)[0] = 250, stored.at(y, x)[1] = stored.at(y, x)[2] = 10;
            stored.at(y, x + 32)[1] = 250, stored.at(y, x + 32)[0] = stored.at(y, x + 32)[2] = 10;
        }
    }
    save_image(dir / "s.jpg", stored);
    const std::string plain = text_of(dir / "s.jpg");

    // From the EXIF standard: where row 0 and column 0 of the stored picture are to be seen.
    struct Corner {
        bool bottom, right;
    };
    const Corner of_red[] = {{0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}};
    const Corner of_green[] = {{0, 1}, {0, 0}, {1, 0}, {1, 1}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
    const auto dominant = [](const Image& image, Corner corner) {
        const uint8_t* p = image.at(corner.bottom ? image.height - 4 : 3, corner.right ? image.width - 4 : 3);
        return p[0] > 200 && p[1] < 60 ? 'r' : p[1] > 200 && p[0] < 60 ? 'g' : '?';
    };
    for (int orientation = 1; orientation <= 8; ++orientation) {
        for (const bool motorola : {false, true}) {
            const std::string file =
                plain.substr(0, 2) + bytes::exif_segment(orientation, motorola) + plain.substr(2);
            const Image image = decode(file, "x.jpg");
            INFO("orientation " << orientation);
            CHECK(image.width == (orientation <= 4 ? 48 : 32));
            CHECK(image.height == (orientation <= 4 ? 32 : 48));
            CHECK(dominant(image, of_red[orientation - 1]) == 'r');
            CHECK(dominant(image, of_green[orientation - 1]) == 'g');
        }
    }
    for (const int nonsense : {0, 9, 65535}) {
        const std::string file = plain.substr(0, 2) + bytes::exif_segment(nonsense, true) + plain.substr(2);
        CHECK(largest_difference(decode(file, "x.jpg"), decode(plain, "x.jpg")) == 0);
    }
    const std::string tiff = bytes::exif_segment(6, true).substr(10);  // PNG holds it bare
    const Image png =
        decode(bytes::png(2, 1, 8, 0, std::string("\0\1\2", 3), bytes::png_chunk("eXIf", tiff)));
    CHECK(png.height == 2);
    CHECK(png.pixels == std::vector<uint8_t>{1, 2});
}

TEST_CASE("every truncated or damaged file is refused", "[io][image]") {
    const ScratchFolder dir;
    const Image image = gradient(32, 24, 3);
    save_image(dir / "x.png", image);
    save_image(dir / "x.jpg", image);
    std::string rle;
    for (int i = 0; i < 6; ++i) rle += std::string("\x81\1\2\3", 4);
    const std::pair<std::string, std::string> files[] = {
        {"x.png", text_of(dir / "x.png")},
        {"x.jpg", text_of(dir / "x.jpg")},
        {"x.bmp", bytes::bmp(5, 4, std::string(64, '\7'))},
        {"x.tga", bytes::tga(2, 5, 4, 24, std::string(60, '\7'))},
        {"r.tga", bytes::tga(10, 4, 3, 24, rle)},
    };
    for (const auto& [name, file] : files) {
        CHECK(decode(file, name).width > 0);
        int refused = 0;
        for (size_t length = 0; length < file.size(); ++length)
            refused +=
                error_of([&, &n = name, &f = file] { decode(f.substr(0, length), n); }) != "(no error)";
        INFO(name);
        CHECK(refused == static_cast<int>(file.size()));
        CHECK(decode(file + "trailing", name).width > 0);
    }
    std::string flipped = files[0].second;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 4);
    CHECK(error_of([&] { decode(flipped); }) == "'x.png' is damaged: wrong checksum in its 'IDAT' chunk");
    std::string sizeless = files[1].second;
    const size_t frame = sizeless.find("\xFF\xC0");
    sizeless.replace(frame + 5, 2,
                     std::string(2, '\0'));  // behind the marker: length, precision, height, width
    CHECK(error_of([&] { decode(sizeless, "x.jpg"); }) ==
          "'x.jpg' cannot be read: its JPEG header does not give its size");
    CHECK(error_of([&] { decode(files[1].second.substr(0, 700), "x.jpg"); }) ==
          "'x.jpg' is truncated: it ends after 700 bytes");
}

TEST_CASE("what is no picture, and sizes out of all reason", "[io][image]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "x.jpg", "Dear diary,\n");
    CHECK(error_of([&] { load_image(dir / "x.jpg"); }) ==
          "'" + dir / "x.jpg" + "' is not a picture: it is text");
    CHECK(error_of([] { decode("BM is how this text begins, not a bitmap"); }) ==
          "'x.png' is not a picture: it is text");
    CHECK(error_of([] { decode("just a text in a .tga file", "x.tga"); }) ==
          "'x.tga' is not a picture: it is text");
    CHECK(error_of([] { decode(""); }) == "'x.png' is empty");
    CHECK(error_of([&] { load_image(dir / "none.png"); }).find("No such file") != std::string::npos);

    // The header alone decides: there is not a byte of pixels behind these.
    const std::string row("\0\1", 2);
    CHECK(error_of([&] { decode(bytes::png(100'000, 100'000, 8, 6, row)); }) ==
          "'x.png' is too large: 100000 x 100000 pixels, at most 100 million are read");
    CHECK(error_of([&] { decode(bytes::png(0xFFFFFFFF, 0xFFFFFFFF, 8, 6, row)); }).find("too large") !=
          std::string::npos);
    CHECK(error_of([&] { decode(bytes::png(0, 5, 8, 6, row)); }).find("0 x 5 pixels") != std::string::npos);
    CHECK(error_of([&] { decode(bytes::bmp(-5, 5, row)); }).find("-5 x 5 pixels") != std::string::npos);
    CHECK(error_of([&] { decode(bytes::bmp(1, INT32_MIN, row)); }) != "(no error)");
    CHECK(error_of([&] { decode(bytes::png(4, 4, 8, 0, row), "x.png", {.max_pixels = 15}); }).find("4 x 4") !=
          std::string::npos);
    CHECK(error_of([&] {
              decode(bytes::png(1, 1, 8, 0, row), "x.png", {.max_file_bytes = 20});
          }).find("too large") != std::string::npos);
    // Pixels missing inside intact chunks.
    CHECK(error_of([&] { decode(bytes::png(4, 4, 8, 0, row)); }).find("is damaged") != std::string::npos);
}

}  // namespace
}  // namespace lily::io
