// SPDX-License-Identifier: MIT
#include "framework/io/image/tga.h"

#include <algorithm>

#include "framework/io/image/checks.h"
#include "framework/io/image/kinds.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
    bool has_palette = false;
    bool from_right = false;     // columns run from right to left
    bool has_alpha_bit = false;  // one of the 16 of a pixel
};

// 18 bytes: id length, colour map type, image type, map first u16, map length u16, map entry bits, x u16, y
// u16, width u16, height u16, bits per pixel, descriptor. Types 1 palette, 2 colour, 3 grey; + 8 run-length
// coded. Descriptor: 4 bits that say how many bits of a pixel are alpha, from the right, from the top, 2 bits
// of interleaving.
Header walk_tga(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    const auto implausible = [&](bool is) {
        if (is) refuse_unknown(bytes, name);
    };
    implausible(bytes.size() < 18);
    const uint32_t id_length = in.u8();
    const uint32_t map_type = in.u8();
    const uint32_t image_type = in.u8();
    const uint32_t map_first = in.u16_le();
    const uint32_t map_length = in.u16_le();
    const uint32_t map_bits = in.u8();
    in.skip(4);
    Header header;
    header.width = in.u16_le();
    header.height = in.u16_le();
    const uint32_t bits = in.u8();
    const uint32_t descriptor = in.u8();
    const uint32_t kind = image_type & 7;
    const bool run_length = (image_type & 8) != 0;
    implausible(map_type > 1 || (image_type & ~0xFu) != 0 || kind < 1 || kind > 3 ||
                (kind == 1 && map_type == 0));
    implausible(bits != 8 && bits != 15 && bits != 16 && bits != 24 && bits != 32);
    implausible(kind == 1 && bits != 8);
    implausible(kind == 3 && bits != 8 && bits != 16);
    const auto is_map_depth = [](uint32_t b) { return b == 8 || b == 15 || b == 16 || b == 24 || b == 32; };
    implausible(map_type == 1 && !is_map_depth(map_bits));
    // stb_image skips map_first bytes where the format means entries, and ignores the map of a true-colour
    // picture.
    if (map_type == 1 && (kind != 1 || map_first != 0 || map_length == 0))
        in.unsupported("an unusual colour map; save it without one");
    if ((descriptor & 0xC0) != 0) in.unsupported("a TGA of interleaved rows; save it again without");
    header.has_palette = kind == 1;
    header.from_right = (descriptor & 0x10) != 0;
    header.has_alpha_bit = (kind == 1 ? map_bits : bits) == 16 && kind != 3 && (descriptor & 15) == 1;
    in.skip(id_length);
    if (map_type == 1) in.skip(uint64_t{map_length} * ((map_bits + 7) / 8));

    const uint64_t pixel_bytes = (bits + 7) / 8;
    const auto pixels = static_cast<uint64_t>(header.width * header.height);
    const auto check_indices = [&](Bytes indices) {  // stb takes entry 0 for those that are not there
        if (kind != 1 || map_length > 255) return;
        for (const std::byte index : indices)
            if (std::to_integer<uint32_t>(index) >= map_length)
                in.damaged("colour {} of a palette of {}", std::to_integer<uint32_t>(index), map_length);
    };
    if (!run_length) {
        check_indices(in.take(pixels * pixel_bytes));
        return header;
    }
    for (uint64_t done = 0; done < pixels;) {  // packets: count - 1, high bit set: one pixel repeated
        const uint32_t packet = in.u8();
        const uint64_t count = (packet & 127) + 1;
        check_indices(in.take(packet & 128 ? pixel_bytes : count * pixel_bytes));
        done += count;
    }
    return header;
}

// What the fourth byte of a pixel is, which version 2 of the format says in an extension area: 0 to 2 nothing
// of use, 3 alpha, 4 alpha that the colours are multiplied by.
constexpr uint32_t kAlpha = 3, kMultipliedAlpha = 4;
uint32_t kind_of_alpha(Bytes bytes, const std::string& name) {
    constexpr size_t kFooter = 26;  // offsets of the extension area and of another, signature
    constexpr std::string_view kSignature("TRUEVISION-XFILE.\0", 18);
    constexpr size_t kExtension = 495;  // its last byte is what we look for
    if (bytes.size() < kFooter || !starts_with(bytes.last(kSignature.size()), kSignature)) return kAlpha;
    Reader in(bytes.last(kFooter), name);
    const uint32_t at = in.u32_le();
    if (at == 0 || at > bytes.size() || bytes.size() - at < kExtension) return kAlpha;
    return std::to_integer<uint32_t>(bytes[at + kExtension - 1]);
}

void divide_by_alpha(Raster& raster) {
    const auto step = static_cast<size_t>(raster.samples());
    for (size_t i = 0; i < raster.samples8.size(); i += step) {
        const int alpha = raster.samples8[i + step - 1];
        for (size_t c = 0; c + 1 < step && alpha > 0; ++c) {
            uint8_t& colour = raster.samples8[i + c];
            colour = static_cast<uint8_t>(std::min(255, (colour * 255 + alpha / 2) / alpha));
        }
    }
}

void mirror(Raster& raster) {
    const auto step = static_cast<std::ptrdiff_t>(raster.samples());
    const std::ptrdiff_t row = raster.width * step;
    for (auto first = raster.samples8.begin(); first != raster.samples8.end(); first += row) {
        std::reverse(first, first + row);  // and each pixel back again
        for (auto pixel = first; pixel != first + row; pixel += step) std::reverse(pixel, pixel + step);
    }
}

}  // namespace

Raster decode_tga(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_tga(bytes, name);
    check_sides(name, header.width, header.height, options);
    Raster raster = decode_by_stb(bytes, {}, name, header.width, header.height);
    raster.is_indexed = header.has_palette;
    if (raster.has_alpha) {
        const uint32_t kind = kind_of_alpha(bytes, name);
        if (kind < kAlpha) make_opaque(raster);
        if (kind == kMultipliedAlpha) divide_by_alpha(raster);
    }
    if (header.from_right) mirror(raster);
    if (header.has_alpha_bit) raster.remarks.push_back("the alpha bit of its 16-bit pixels is left out");
    return raster;
}

}  // namespace lily::io
