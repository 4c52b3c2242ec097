// SPDX-License-Identifier: MIT
#include "framework/io/image/tga.h"

#include "framework/io/image/checks.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
};

// 18 bytes: id length, colour map type, image type, map first u16, map length u16, map entry bits, x u16, y
// u16, width u16, height u16, bits per pixel, descriptor. Types 1 palette, 2 colour, 3 grey; + 8 run-length
// coded.
Header walk_tga(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    const auto implausible = [&](bool is) {
        if (is) fail_no_picture(name);
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
    in.skip(1);
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
    in.skip(id_length);
    if (map_type == 1) in.skip(uint64_t{map_length} * ((map_bits + 7) / 8));

    const uint64_t pixel_bytes = (bits + 7) / 8;
    const auto pixels = static_cast<uint64_t>(header.width * header.height);
    if (!run_length) {
        in.need(pixels * pixel_bytes);
        return header;
    }
    for (uint64_t done = 0; done < pixels;) {  // packets: count - 1, high bit set: one pixel repeated
        const uint32_t packet = in.u8();
        const uint64_t count = (packet & 127) + 1;
        in.skip(packet & 128 ? pixel_bytes : count * pixel_bytes);
        done += count;
    }
    return header;
}

// stb ignores the TGA field that says whether the fourth byte is alpha; a picture of nothing but transparent
// pixels is one whose fourth byte is not.
void make_opaque_if_invisible(Raster& raster) {
    const auto step = static_cast<size_t>(raster.samples());
    for (size_t i = step - 1; i < raster.samples8.size(); i += step)
        if (raster.samples8[i] != 0) return;
    for (size_t i = step - 1; i < raster.samples8.size(); i += step) raster.samples8[i] = 255;
}

}  // namespace

Raster decode_tga(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_tga(bytes, name);
    check_sides(name, header.width, header.height, options);
    Raster raster = decode_by_stb(bytes, {}, name, header.width, header.height);
    if (raster.has_alpha) make_opaque_if_invisible(raster);
    return raster;
}

}  // namespace lily::io
