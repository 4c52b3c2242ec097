// SPDX-License-Identifier: MIT
#include "framework/io/image/kinds.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>

#include "framework/error.h"
#include "framework/io/image/reader.h"

namespace lily::io {
namespace {

using namespace std::string_view_literals;

// What begins with `signature`, `at` bytes from the start.
struct Signature {
    size_t at;
    std::string_view signature;
    std::string_view what;
    std::string_view command;
};

constexpr auto kHeif = "heif-convert {in} {out} (package libheif-examples)"sv;
constexpr auto kJxl = "djxl {in} {out} (package libjxl-tools)"sv;
constexpr auto kJpeg2000 = "opj_decompress -i {in} -o {out} (package libopenjp2-tools)"sv;
constexpr auto kMagick = "convert {in} {out} (package imagemagick)"sv;
constexpr auto kFirstLayer = "convert {in}'[0]' {out} (package imagemagick)"sv;
constexpr auto kFfmpeg = "ffmpeg -i {in} -frames:v 1 {out} (package ffmpeg)"sv;
constexpr auto kGhostscript =
    "gs -q -dBATCH -dNOPAUSE -dEPSCrop -sDEVICE=png16m -r150 -o {out} {in} (package ghostscript)"sv;
constexpr auto kPdf = "pdftoppm -png -r 150 -singlefile {in} > {out} (package poppler-utils)"sv;
constexpr auto kSvg = "rsvg-convert -o {out} {in} (package librsvg2-bin)"sv;
constexpr auto kRaw = "darktable-cli {in} {out} (package darktable)"sv;
constexpr auto kNetpbm = "pnmtopng {in} > {out} (package netpbm)"sv;

constexpr Signature kSignatures[] = {
    {0, "\xFF\x0A"sv, "a JPEG XL picture"sv, kJxl},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"sv, "a JPEG XL picture"sv, kJxl},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"sv, "a JPEG 2000 picture"sv, kJpeg2000},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 codestream"sv, kJpeg2000},
    {0, "8BPS"sv, "a Photoshop document (PSD)"sv, kFirstLayer},
    {0, "gimp xcf"sv, "a GIMP document (XCF)"sv, kFirstLayer},
    {0, "%PDF-"sv, "a PDF document"sv, kPdf},
    {0, "%!PS"sv, "PostScript (EPS)"sv, kGhostscript},
    {0, "\xC5\xD0\xD3\xC6"sv, "PostScript (EPS)"sv, kGhostscript},
    {0, "qoif"sv, "a QOI picture"sv, kFfmpeg},
    {0, "\x76\x2F\x31\x01"sv, "an OpenEXR picture"sv,
     "ffmpeg -apply_trc iec61966_2_1 -i {in} {out} (package ffmpeg)"sv},
    {0, "#?RADIANCE"sv, "a Radiance HDR picture"sv, kMagick},
    {0, "#?RGBE"sv, "a Radiance HDR picture"sv, kMagick},
    {0, "DDS "sv, "a DirectDraw surface (DDS)"sv, kFfmpeg},
    {0, "II\xBC\x01"sv, "a JPEG XR picture"sv, "JxrDecApp -i {in} -o {out} (package libjxr-tools)"sv},
    {0, "icns"sv, "an Apple icon (ICNS)"sv, kMagick},
    {0, "FUJIFILMCCD-RAW"sv, "a camera's raw file (RAF)"sv, kRaw},
    {0, "IIRO"sv, "a camera's raw file (ORF)"sv, kRaw},
    {0, "IIRS"sv, "a camera's raw file (ORF)"sv, kRaw},
    {0, "MMOR"sv, "a camera's raw file (ORF)"sv, kRaw},
    {0, "IIU\0"sv, "a camera's raw file (RW2)"sv, kRaw},
    {0, "FOVb"sv, "a camera's raw file (X3F)"sv, kRaw},
    {0, "\0MRM"sv, "a camera's raw file (MRW)"sv, kRaw},
    {0, "\x1A\x45\xDF\xA3"sv, "a video (Matroska or WebM)"sv, kFfmpeg},
    {128, "DICM"sv, "a DICOM file"sv, "dcmj2pnm +on {in} {out} (package dcmtk)"sv},
    {0, "\0\x05\x16\x07"sv, "macOS's notes on a file of that name (AppleDouble), not the file"sv, ""sv},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the picture; fetch it with: git lfs pull"sv,
     ""sv},
    {0, "PK\x03\x04"sv, "a ZIP archive; unpack it first"sv, ""sv},
    {0, "\x1F\x8B"sv, "packed with gzip; unpack it first"sv, ""sv},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive; unpack it first"sv, ""sv},
    {0,
     "\x7F"
     "ELF"sv,
     "a program"sv, ""sv},
};

std::string_view text_view(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// ISO base media: boxes of u32 size and four letters; the first is "ftyp" with a major brand, a version and
// compatible brands. MIAF pictures may name HEVC or AV1 among the latter alone.
void refuse_iso_media(Bytes bytes, const std::string& name) {
    if (bytes.size() < 16 || text_view(bytes).substr(4, 4) != "ftyp") return;
    const size_t length = std::min<size_t>(
        {bytes.size(), 256, std::to_integer<size_t>(bytes[2]) << 8 | std::to_integer<size_t>(bytes[3])});
    const std::string_view box = text_view(bytes.first(std::max<size_t>(length, 16)));
    const auto has = [&](std::string_view brand) {
        for (size_t at = 8; at + 4 <= box.size(); at += 4)
            if (at != 12 && box.substr(at, 4) == brand) return true;
        return false;
    };
    if (has("avif") || has("avis"))
        refuse_kind(name, "an AVIF picture", "avifdec {in} {out} (package libavif-bin)");
    if (has("crx ")) refuse_raw(name, "CR3");
    for (const char* brand : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
        if (has(brand)) refuse_kind(name, "a HEIC picture", kHeif);
    refuse_kind(name, "a video (MP4 or QuickTime)", kFfmpeg);
}

// The tag of what is written as <tag …>, behind a declaration, comments and blanks.
void refuse_markup(Bytes bytes, const std::string& name) {
    std::string text(text_view(bytes.first(std::min<size_t>(bytes.size(), 4096))));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const size_t first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
    if (first == std::string::npos || text[first] != '<' || text.find('\0') != std::string::npos) return;
    const auto has = [&](const char* tag) { return text.find(tag) != std::string::npos; };
    if (has("<!doctype html") || has("<html") || has("<head") || has("<body"))
        refuse_kind(name, "a web page (HTML), not a picture: the download went wrong", "");
    if (has("<svg")) refuse_kind(name, "a drawing (SVG)", kSvg);
    if (has("<?xml") || has("</") || has("/>"))
        refuse_kind(name, "an XML document, not a picture: the download may have failed", "");
}

// No control characters, and half of it ASCII.
bool is_text(Bytes bytes) {
    size_t ascii = 0;
    const Bytes start = bytes.first(std::min<size_t>(bytes.size(), 512));
    for (const std::byte b : start) {
        const auto c = std::to_integer<unsigned>(b);
        if (c == 0x7F || (c < 0x20 && (c < 0x09 || c > 0x0D))) return false;
        ascii += c < 0x80 ? 1U : 0U;
    }
    return 2 * ascii >= start.size();
}

std::string shell_word(const std::string& name) {
    const auto is_plain = [](unsigned char c) {
        return std::isalnum(c) || std::strchr("/._-+,@%", c) != nullptr;
    };
    std::string path = name.starts_with('-') ? "./" + name : name;
    if (std::all_of(path.begin(), path.end(), is_plain)) return path;
    std::string word = "'";
    for (const char c : path) word += c == '\'' ? "'\\''" : std::string(1, c);
    return word + "'";
}

void replace(std::string& text, std::string_view what, const std::string& with) {
    if (const size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
}

}  // namespace

void refuse_kind(const std::string& name, std::string_view what, std::string_view command) {
    if (command.empty()) fail("{} cannot be read: it is {}", in_quotes(name), what);
    const bool is_long = name.size() > 100;
    const bool is_odd = std::any_of(name.begin(), name.end(), [](char c) { return c >= 0 && c < 0x20; });
    std::filesystem::path in(is_long || is_odd ? "FILE" : name);
    std::filesystem::path out(in);
    out.replace_extension(extension_of(name) == ".png" ? ".converted.png" : ".png");
    std::string line(command);
    replace(line, "{in}", shell_word(in.string()));
    replace(line, "{out}", shell_word(out.string()));
    fail("{} cannot be read: it is {}; convert it with: {}", in_quotes(name), what, line);
}

void refuse_raw(const std::string& name, std::string_view camera_format) {
    refuse_kind(name, fmt::format("a camera's raw file ({})", camera_format), kRaw);
}

void refuse_other_formats(Bytes bytes, const std::string& name) {
    refuse_iso_media(bytes, name);
    for (const auto& [at, signature, what, command] : kSignatures)
        if (bytes.size() > at && starts_with(bytes.subspan(at), signature)) refuse_kind(name, what, command);
    if (starts_with(bytes, "RIFF") && bytes.size() >= 12 && text_view(bytes).substr(8, 4) == "AVI ")
        refuse_kind(name, "a video (AVI)", kFfmpeg);
    const std::string_view text = text_view(bytes);
    if (text.size() > 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' &&
        std::strchr(" \t\r\n", text[2]) != nullptr && text[2] != '\0')
        refuse_kind(name, "a portable anymap (PBM, PGM, PPM or PAM)", kNetpbm);
    refuse_markup(bytes, name);
}

void refuse_unknown(Bytes bytes, const std::string& name) {
    if (bytes.empty()) fail("{} is empty", in_quotes(name));
    // u16 0, u16 1 (icon) or 2 (cursor), u16 count; a TGA can begin so too, and has been asked before.
    if (bytes.size() > 6 && (starts_with(bytes, "\0\0\1\0"sv) || starts_with(bytes, "\0\0\2\0"sv)) &&
        bytes[4] != std::byte{0} && bytes[5] == std::byte{0})
        refuse_kind(name, "an icon (ICO)", kFfmpeg);
    if (std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; }))
        fail("{} is not a picture: it holds nothing but zeros", in_quotes(name));
    if (is_text(bytes)) fail("{} is not a picture: it is text", in_quotes(name));
    fail("{} is not a picture (read are PNG, JPEG, BMP, TGA, GIF, WebP and TIFF)", in_quotes(name));
}

}  // namespace lily::io
