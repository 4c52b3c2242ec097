// SPDX-License-Identifier: MIT
#include "framework/io/image/jpeg.h"

#include "framework/io/image/checks.h"
#include "framework/io/image/orientation.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
    Bytes exif;
};

// Tables of u8 id, 16 counts (codes of 1 to 16 bits), and a byte for each code: at most 256, or the decoder's
// table overflows (stb_image 2.27 does not look).
void check_huffman_tables(Reader tables) {
    while (tables.left() > 0) {
        tables.skip(1);
        uint32_t codes = 0;
        for (int bits = 1; bits <= 16; ++bits) codes += tables.u8();
        if (codes > 256) tables.damaged("a Huffman table of {} codes", codes);
        tables.skip(codes);
    }
}

// SOI, then segments FF marker u16 length data; after a scan header come entropy-coded bytes, where FF 00 is
// a data byte FF and FF D0..D7 are restart markers. The file is whole when the end marker FF D9 is reached.
Header walk_jpeg(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(2);
    Header header;
    bool has_scan = false;
    for (;;) {
        uint32_t marker = in.u8();
        if (marker != 0xFF) in.damaged("no JPEG marker at byte {}", in.position - 1);
        while (marker == 0xFF) marker = in.u8();  // any number of fill bytes FF
        if (marker == 0xD9) break;
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // markers without a segment
        if (marker < 0xC0) in.damaged("unknown JPEG marker FF {:02X}", marker);

        const uint32_t length = in.u16_be();
        if (length < 2) in.damaged("JPEG segment of {} bytes", length);
        const Bytes data = in.take(length - 2);
        const bool is_frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame) {
            if (marker > 0xC2) in.unsupported("lossless, hierarchical and arithmetic JPEG are not supported");
            if (header.width != 0) in.damaged("more than one JPEG frame header");
            Reader frame(data, name);
            if (frame.u8() != 8) in.unsupported("only 8-bit JPEG is supported");
            header.height = frame.u16_be();
            header.width = frame.u16_be();
            if (header.width == 0 || header.height == 0)
                in.unsupported("its JPEG header does not give its size");
        }
        if (marker == 0xC4) check_huffman_tables(Reader(data, name));
        if (marker == 0xE1 && header.exif.empty() && starts_with(data, std::string_view("Exif\0\0", 6)))
            header.exif = data;
        if (marker != 0xDA) continue;

        if (header.width == 0) in.damaged("a JPEG scan before the frame header");
        has_scan = true;
        for (;;) {  // to the next marker that is neither a stuffed byte nor a restart
            const Bytes rest = bytes.subspan(in.position);
            const auto* ff = static_cast<const std::byte*>(std::memchr(rest.data(), 0xFF, rest.size()));
            in.skip(ff == nullptr ? rest.size() : static_cast<size_t>(ff - rest.data()));
            in.need(2);
            const auto next = std::to_integer<uint32_t>(bytes[in.position + 1]);
            if (next != 0 && (next < 0xD0 || next > 0xD7)) break;
            in.skip(2);
        }
    }
    if (!has_scan) in.damaged("a JPEG without a picture in it");
    return header;
}

}  // namespace

bool is_jpeg(Bytes bytes) { return starts_with(bytes, "\xFF\xD8\xFF"); }

Raster decode_jpeg(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_jpeg(bytes, name);
    check_sides(name, header.width, header.height, options);
    Raster raster = decode_by_stb(bytes, {}, name, header.width, header.height);
    raster.orientation = stored_orientation(header.exif);
    return raster;
}

}  // namespace lily::io
