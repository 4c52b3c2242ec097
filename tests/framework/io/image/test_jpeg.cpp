// SPDX-License-Identifier: MIT
#include "framework/io/image/jpeg.h"

#include <cstdlib>

#include "framework/io/image_ops.h"
#include "tests/framework/io/image/jpeg_file.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using bytes::jpeg;
using bytes::JpegKind;

Image decode(const std::string& file) { return decode_image(bytes_of(file), "x.jpg"); }
std::string error_with(const std::string& file) {
    return error_of([&] { decode(file); });
}

// Busy enough that no MCU is coded in a few bits.
Image busy(int width, int height, int channels) {
    Image image(width, height, channels);
    uint32_t state = 1;
    for (uint8_t& value : image.pixels)
        value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
    return image;
}

Image flat(int width, int height, const std::vector<uint8_t>& colour) {
    Image image(width, height, static_cast<int>(colour.size()));
    for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = colour[i % colour.size()];
    return image;
}

// Where each scan's entropy-coded data begin and end.
std::vector<std::pair<size_t, size_t>> scans_of(const std::string& file) {
    std::vector<std::pair<size_t, size_t>> scans;
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(file[i]); };
    for (size_t at = 2; at + 4 < file.size();) {
        REQUIRE(byte(at) == 0xFF);
        const uint8_t marker = byte(at + 1);
        at += 2 + static_cast<size_t>(byte(at + 2) << 8 | byte(at + 3));
        if (marker != 0xDA) continue;
        const size_t first = at;
        while (byte(at) != 0xFF || byte(at + 1) == 0 || (byte(at + 1) >= 0xD0 && byte(at + 1) <= 0xD7)) ++at;
        scans.emplace_back(first, at);
    }
    return scans;
}

const std::string kEnd = "\xFF\xD9";

TEST_CASE("a JPEG whose scans end early is refused wherever it was cut, end marker or not",
          "[io][image][jpeg]") {
    const std::pair<const char*, JpegKind> kinds[] = {
        {"4:4:4", {}},
        {"4:2:0", {.h = 2, .v = 2}},
        {"4:2:2", {.h = 2, .v = 1}},
        {"4:4:0", {.h = 1, .v = 2}},
        {"4:1:1", {.h = 4, .v = 1}},
        {"restart markers", {.restart_interval = 2}},
        {"progressive", {.h = 2, .v = 2, .progressive = true}},
        {"progressive with restart markers", {.progressive = true, .restart_interval = 3}},
        {"a scan for each component", {.separate_scans = true}},
    };
    for (const auto& [name, kind] : kinds) {
        for (const int channels : {1, 3, 4}) {
            INFO(name << ", " << channels << " components");
            const std::string file = jpeg(busy(32, 16, channels), kind);
            REQUIRE(decode(file).width == 32);
            for (const auto& [first, last] : scans_of(file)) {
                int cuts = 0;
                int refused = 0;
                for (size_t at = first; at < last; ++at) {
                    if (at > first && file[at - 1] == '\xFF') continue;  // in the middle of a marker
                    const std::string cut = error_with(file.substr(0, at) + kEnd);
                    const std::string hole = error_with(file.substr(0, at) + file.substr(last));
                    cuts += 2;
                    refused += (cut.find("is damaged: ") != std::string::npos) +
                               (hole.find("is damaged: ") != std::string::npos);
                }
                CHECK(refused == cuts);
            }
        }
    }
}

TEST_CASE("a JPEG that lacks whole scans or restart intervals is refused", "[io][image][jpeg]") {
    const std::string progressive = jpeg(busy(40, 24, 3), {.progressive = true});
    const auto scans = scans_of(progressive);
    REQUIRE(scans.size() == 10);
    for (size_t i = 0; i + 1 < scans.size(); ++i)
        CHECK(error_with(progressive.substr(0, scans[i].second) + kEnd) ==
              "'x.jpg' is damaged: its JPEG scans end before the picture is complete");

    const std::string apart = jpeg(busy(40, 24, 3), {.separate_scans = true});
    CHECK(error_with(apart.substr(0, scans_of(apart)[1].second) + kEnd) ==
          "'x.jpg' is damaged: its JPEG scans end before the picture is complete");

    const std::string file = jpeg(busy(64, 64, 1), {.restart_interval = 4});  // 16 intervals
    std::vector<size_t> restarts;
    for (size_t i = 0; i + 1 < file.size(); ++i)
        if (file[i] == '\xFF' && (static_cast<uint8_t>(file[i + 1]) & 0xF8) == 0xD0) restarts.push_back(i);
    REQUIRE(restarts.size() == 15);
    for (const size_t gone : {1U, 3U, 8U})  // 8: the numbers, which count to 7, fit again
        CHECK(error_with(file.substr(0, restarts[2]) + file.substr(restarts[2 + gone])).find("is damaged") !=
              std::string::npos);
    std::string unsampled = progressive;  // what libjpeg itself refuses of a header
    unsampled[progressive.find("\xFF\xC2") + 11] = '\0';
    CHECK(error_with(unsampled).find("'x.jpg' is damaged: ") == 0);
    std::string unmarked = file;
    unmarked.erase(restarts[5], 2);
    CHECK(error_with(unmarked).find("is damaged") != std::string::npos);
}

TEST_CASE("inks of a JPEG: with Adobe's marker 255 is none, without it 0; both become light",
          "[io][image][jpeg]") {
    // Light is (255 - ink) (255 - black) / 255.
    const std::vector<uint8_t> light = {204, 102, 51};  // of inks 51, 153, 204 and no black
    const std::vector<uint8_t> dark = {102, 51, 26};    // and half of it, black 128
    for (const bool ycck : {false, true}) {
        INFO("YCCK " << ycck);
        CHECK(decode(jpeg(flat(16, 16, {204, 102, 51, 255}), {.inks_as_ycck = ycck})).channels == 3);
        const Image adobe = decode(jpeg(flat(16, 16, {204, 102, 51, 255}), {.inks_as_ycck = ycck}));
        const Image half = decode(jpeg(flat(16, 16, {204, 102, 51, 127}), {.inks_as_ycck = ycck}));
        for (size_t c = 0; c < 3; ++c) {
            CHECK(std::abs(adobe.pixels[c] - light[c]) <= 2);
            CHECK(std::abs(half.pixels[c] - dark[c]) <= 2);
        }
    }
    const Image plain = decode(jpeg(flat(16, 16, {51, 153, 204, 0}), {.adobe = false}));
    const Image subsampled =
        decode(jpeg(flat(16, 16, {51, 153, 204, 128}), {.h = 2, .v = 2, .adobe = false}));
    for (size_t c = 0; c < 3; ++c) {
        CHECK(std::abs(plain.pixels[c] - light[c]) <= 2);
        CHECK(std::abs(subsampled.pixels[c] - dark[c]) <= 2);
    }
}

TEST_CASE("a JPEG of red, green and blue as they are, not of luma and chroma", "[io][image][jpeg]") {
    const Image image = flat(16, 16, {200, 60, 40});
    const std::string file = jpeg(image, {.rgb = true, .quality = 100});
    CHECK(decode(file).pixels == image.pixels);
    // By its components' names alone, without Adobe's marker (16 bytes behind the first).
    REQUIRE(file.substr(2, 4) == std::string("\xFF\xEE\0\x0E", 4));
    CHECK(decode(file.substr(0, 2) + file.substr(18)).pixels == image.pixels);
}

TEST_CASE("any number of FF may stand before a JPEG's markers", "[io][image][jpeg]") {
    const std::string file = jpeg(busy(40, 24, 3), {.h = 2, .v = 2, .restart_interval = 1});
    const Image image = decode(file);
    const auto [first, last] = scans_of(file)[0];
    std::string filled = file.substr(0, 2);
    int restarts = 0;
    for (size_t i = 2; i < file.size(); ++i) {
        const bool in_scan = i >= first && i < last;
        const auto next = static_cast<uint8_t>(i + 1 < file.size() ? file[i + 1] : 0);
        const bool is_restart = in_scan && file[i] == '\xFF' && next >= 0xD0 && next <= 0xD7;
        if (is_restart || i == 2 || i == last) filled += i == last ? "\xFF\xFF\xFF" : "\xFF";
        restarts += is_restart;
        filled += file[i];
    }
    CHECK(restarts == 5);
    CHECK(decode(filled).pixels == image.pixels);
}

TEST_CASE("JPEG pixels are those of libjpeg's own decoding in full", "[io][image][jpeg]") {
    const JpegKind kinds[] = {{}, {.h = 2, .v = 1}, {.h = 2, .v = 2}, {.h = 1, .v = 2}, {.h = 4, .v = 1}};
    for (const JpegKind& kind : kinds) {
        const std::string file = jpeg(busy(37, 19, 3), kind);
        jpeg_decompress_struct info{};
        jpeg_error_mgr errors{};
        info.err = jpeg_std_error(&errors);
        jpeg_create_decompress(&info);
        jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
        jpeg_read_header(&info, TRUE);
        jpeg_start_decompress(&info);
        Image expected(37, 19, 3);
        for (int y = 0; y < expected.height; ++y) {
            uint8_t* row = expected.at(y, 0);
            jpeg_read_scanlines(&info, &row, 1);
        }
        jpeg_destroy_decompress(&info);
        CHECK(decode(file).pixels == expected.pixels);
    }
}

// APP1 with an XMP packet.
std::string xmp_segment(const std::string& orientation) {
    const std::string packet = std::string("http://ns.adobe.com/xap/1.0/\0", 29) +
                               "<x:xmpmeta><rdf:Description " + orientation +
                               "</rdf:Description></x:xmpmeta>";
    return "\xFF\xE1" + bytes::big(packet.size() + 2, 2) + packet;
}

TEST_CASE("an orientation that stands only in XMP turns the picture; EXIF's goes first",
          "[io][image][jpeg]") {
    const std::string plain = jpeg(busy(48, 32, 3));
    const Image upright_image = upright(decode(plain), 6);
    const auto with = [&](const std::string& segments) {
        return decode(plain.substr(0, 2) + segments + plain.substr(2));
    };
    CHECK(with(xmp_segment("tiff:Orientation=\"6\">")).pixels == upright_image.pixels);
    CHECK(with(xmp_segment("><tiff:Orientation>6</tiff:Orientation>")).pixels == upright_image.pixels);
    CHECK(with(xmp_segment("tiff:Orientation='6'>")).pixels == upright_image.pixels);
    for (const char* none : {"tiff:Orientation=\"9\">", "tiff:Orientation=\"\">", ">", "tiff:Orientation"})
        CHECK(with(xmp_segment(none)).pixels == decode(plain).pixels);
    CHECK(with(bytes::exif_segment(6, true) + xmp_segment("tiff:Orientation=\"3\">")).pixels ==
          upright_image.pixels);
    CHECK(with(bytes::exif_segment(1, true) + xmp_segment("tiff:Orientation=\"3\">")).pixels ==
          decode(plain).pixels);
}

TEST_CASE("JPEGs that are not read are named", "[io][image][jpeg]") {
    CHECK(error_with(jpeg(busy(16, 16, 3), {.arithmetic = true})) ==
          "'x.jpg' cannot be read: an arithmetic-coded JPEG; save it again as baseline JPEG or PNG");
    const auto frame = [](int marker, int precision, int height, int components) {
        std::string data = std::string(1, static_cast<char>(precision)) +
                           bytes::big(static_cast<uint64_t>(height), 2) + bytes::big(8, 2) +
                           static_cast<char>(components);
        for (int i = 0; i < components; ++i) data += std::string{static_cast<char>(i), '\x11', '\0'};
        return std::string("\xFF\xD8\xFF") + static_cast<char>(marker) + bytes::big(data.size() + 2, 2) +
               data + kEnd;
    };
    CHECK(error_with(frame(0xC3, 8, 8, 1)) ==
          "'x.jpg' cannot be read: a lossless JPEG; save it again as baseline JPEG or PNG");
    CHECK(error_with(frame(0xC5, 8, 8, 1)) ==
          "'x.jpg' cannot be read: a hierarchical JPEG; save it again as baseline JPEG or PNG");
    CHECK(error_with(frame(0xC1, 12, 8, 1)) ==
          "'x.jpg' cannot be read: a JPEG of 12 bits per sample; only 8 are supported");
    CHECK(error_with(frame(0xC0, 8, 8, 2)) ==
          "'x.jpg' cannot be read: a JPEG of 2 components; grey has 1, colours have 3 or 4");
    CHECK(error_with(frame(0xC0, 8, 0, 1)) ==
          "'x.jpg' cannot be read: its JPEG header does not give its size");
    const std::string progressive = jpeg(busy(16, 16, 1), {.progressive = true});
    const auto [first, last] = scans_of(progressive).back();
    std::string many = progressive.substr(0, first);
    for (int i = 0; i < 500; ++i) many += "\xFF\xDA" + bytes::big(8, 2) + std::string("\1\1\0\1\x3F\0", 6);
    CHECK(error_with(many + kEnd) == "'x.jpg' cannot be read: a JPEG of more than 500 scans");
    CHECK(error_with(frame(0xC0, 8, 8, 1)) == "'x.jpg' is damaged: a JPEG without a picture in it");
}

}  // namespace
}  // namespace lily::io
