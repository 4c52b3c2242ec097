// SPDX-License-Identifier: MIT
#include "framework/io/image/kinds.h"

#include "framework/io/image.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

std::string refusal(const std::string& file, const std::string& name = "photo.jpg") {
    return error_of([&] { decode_image(bytes_of(file), name); });
}

// The first box of ISO media: a major brand and more that it is compatible with.
std::string ftyp(const std::string& brands) {
    return bytes::big(12 + brands.size(), 4) + "ftyp" + brands.substr(0, 4) + bytes::big(0, 4) +
           brands.substr(4) + std::string(64, '\1');
}

TEST_CASE("what is no picture of ours is named, with a command that converts it", "[io][image]") {
    const std::string filler(200, '\x81');
    const struct {
        std::string file;
        const char *what, *command;
    } kinds[] = {
        {ftyp("heicmif1heic"), "a HEIC picture",
         "heif-convert photo.jpg photo.png (package libheif-examples)"},
        {ftyp("mif1mif1heic"), "a HEIC picture",
         "heif-convert photo.jpg photo.png (package libheif-examples)"},
        {ftyp("avifavifmif1"), "an AVIF picture", "avifdec photo.jpg photo.png (package libavif-bin)"},
        {ftyp("mif1avifmiaf"), "an AVIF picture", "avifdec photo.jpg photo.png (package libavif-bin)"},
        {ftyp("crx crx isom"), "a camera's raw file (CR3)",
         "darktable-cli photo.jpg photo.png (package darktable)"},
        {ftyp("isomiso2mp41"), "a video (MP4 or QuickTime)",
         "ffmpeg -i photo.jpg -frames:v 1 photo.png (package ffmpeg)"},
        {"\xFF\x0A" + filler, "a JPEG XL picture", "djxl photo.jpg photo.png (package libjxl-tools)"},
        {std::string("\0\0\0\x0CJXL \r\n\x87\n", 12) + filler, "a JPEG XL picture",
         "djxl photo.jpg photo.png (package libjxl-tools)"},
        {std::string("\0\0\0\x0CjP  \r\n\x87\n", 12) + filler, "a JPEG 2000 picture",
         "opj_decompress -i photo.jpg -o photo.png (package libopenjp2-tools)"},
        {"8BPS" + filler, "a Photoshop document (PSD)",
         "convert photo.jpg'[0]' photo.png (package imagemagick)"},
        {"%PDF-1.7\n" + filler, "a PDF document",
         "pdftoppm -png -r 150 -singlefile photo.jpg > photo.png (package poppler-utils)"},
        {"%!PS-Adobe-3.0 EPSF-3.0\n" + filler, "PostScript (EPS)",
         "gs -q -dBATCH -dNOPAUSE -dEPSCrop -sDEVICE=png16m -r150 -o photo.png photo.jpg (package "
         "ghostscript)"},
        {"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"x\"/>", "a drawing (SVG)",
         "rsvg-convert -o photo.png photo.jpg (package librsvg2-bin)"},
        {"FUJIFILMCCD-RAW 0201" + filler, "a camera's raw file (RAF)",
         "darktable-cli photo.jpg photo.png (package darktable)"},
        {std::string("IIU\0", 4) + filler, "a camera's raw file (RW2)",
         "darktable-cli photo.jpg photo.png (package darktable)"},
        {std::string("\0\0\1\0\2\0", 6) + filler, "an icon (ICO)",
         "ffmpeg -i photo.jpg -frames:v 1 photo.png (package ffmpeg)"},
        {"P6\n2 2\n255\n" + filler, "a portable anymap (PBM, PGM, PPM or PAM)",
         "pnmtopng photo.jpg > photo.png (package netpbm)"},
        {"qoif" + filler, "a QOI picture", "ffmpeg -i photo.jpg -frames:v 1 photo.png (package ffmpeg)"},
        {"\x76\x2F\x31\x01" + filler, "an OpenEXR picture",
         "ffmpeg -apply_trc iec61966_2_1 -i photo.jpg photo.png (package ffmpeg)"},
        {"#?RADIANCE\n" + filler, "a Radiance HDR picture",
         "convert photo.jpg photo.png (package imagemagick)"},
        {"RIFF" + bytes::little(100, 4) + "AVI LIST" + filler, "a video (AVI)",
         "ffmpeg -i photo.jpg -frames:v 1 photo.png (package ffmpeg)"},
        {"\xEF\xBB\xBF\n<!DOCTYPE HTML><title>404</title>",
         "a web page (HTML), not a picture: the download went wrong", ""},
        {"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
         "an XML document, not a picture: the download may have failed", ""},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
         "a Git LFS pointer, not the picture; fetch it with: git lfs pull", ""},
        {std::string("\0\5\x16\7", 4) + filler,
         "macOS's notes on a file of that name (AppleDouble), not the file", ""},
        {"PK\3\4" + filler, "a ZIP archive; unpack it first", ""},
        {"\x1F\x8B" + filler, "packed with gzip; unpack it first", ""},
    };
    for (const auto& [file, what, command] : kinds) {
        const std::string end = *command == '\0' ? "" : "; convert it with: " + std::string(command);
        CHECK(refusal(file) == "'photo.jpg' cannot be read: it is " + std::string(what) + end);
    }
    CHECK(refusal("") == "'photo.jpg' is empty");
    CHECK(refusal("Dear diary,\nto-day") == "'photo.jpg' is not a picture: it is text");
    CHECK(refusal(std::string(5000, '\0')) == "'photo.jpg' is not a picture: it holds nothing but zeros");
    CHECK(refusal(filler) ==
          "'photo.jpg' is not a picture (read are PNG, JPEG, BMP, TGA, GIF, WebP and TIFF)");
}

TEST_CASE("commands are fit for a shell, whatever the file's name", "[io][image]") {
    const std::string jxl = "\xFF\x0A" + std::string(20, '\1');
    const auto command = [&](const std::string& name) {
        const std::string message = refusal(jxl, name), before = "convert it with: ";
        return message.substr(message.find(before) + before.size());
    };
    CHECK(command("a b.jpg") == "djxl 'a b.jpg' 'a b.png' (package libjxl-tools)");
    CHECK(command("/tmp/it's; rm.jxl") ==
          "djxl '/tmp/it'\\''s; rm.jxl' '/tmp/it'\\''s; rm.png' (package libjxl-tools)");
    CHECK(command("-rf.jxl") == "djxl ./-rf.jxl ./-rf.png (package libjxl-tools)");
    CHECK(command("shot.png") == "djxl shot.png shot.converted.png (package libjxl-tools)");
    CHECK(command("\n.jpg") == "djxl FILE FILE.png (package libjxl-tools)");
    CHECK(command(std::string(300, 'x')) == "djxl FILE FILE.png (package libjxl-tools)");
}

}  // namespace
}  // namespace lily::io
