// SPDX-License-Identifier: MIT
#include "framework/io/image/bmp.h"

#include <algorithm>
#include <cstdlib>

#include "framework/io/image/checks.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
};

// 14 bytes of file header (signature, size, reserved, offset of the pixels), then an information header whose
// size tells its version. Rows are padded to 4 bytes.
Header walk_bmp(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(10);
    const uint32_t pixels_at = in.u32_le();
    const uint32_t version = in.u32_le();
    Header header;
    uint32_t compression = 0;
    uint32_t bits = 0;
    if (version == 12) {
        header.width = in.u16_le();
        header.height = in.u16_le();
        in.skip(2);
        bits = in.u16_le();
    } else {
        header.width = in.i32_le();
        header.height = std::abs(int64_t{in.i32_le()});  // negative: rows from top to bottom
        in.skip(2);
        bits = in.u16_le();
        compression = in.u32_le();
    }
    if (compression != 0 && compression != 3) in.unsupported("compressed BMP is not supported");
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        in.unsupported("a BMP of {} bits per pixel", bits);
    if (version == 12 && bits < 24) in.unsupported("an OS/2 BMP with a palette; save it again as PNG");
    if (header.width <= 0 || header.height == 0) return header;  // refused by the caller

    const uint64_t row = (static_cast<uint64_t>(header.width) * bits + 31) / 32 * 4;
    const uint32_t palette_at = 14 + version;
    if (pixels_at < palette_at) in.damaged("its pixels overlap its header");
    in.position = std::min<size_t>(pixels_at, bytes.size());
    if (row > in.left() / static_cast<uint64_t>(header.height)) in.need(UINT64_MAX);
    if (bits < 16) {  // every pixel must have its palette entry: the decoder does not look
        const uint32_t colours = (pixels_at - palette_at) / 4;
        if (colours == 0 || colours > 256) in.damaged("a palette of {} colours", colours);
        const auto per_byte = static_cast<int64_t>(8 / bits);
        for (int64_t y = 0; y < header.height && colours < 1u << bits; ++y) {
            const Bytes line = in.take(row);
            for (int64_t x = 0; x < header.width; ++x) {
                const auto shift = static_cast<uint32_t>(per_byte - 1 - x % per_byte) * bits;
                const auto packed = std::to_integer<uint32_t>(line[static_cast<size_t>(x / per_byte)]);
                const uint32_t index = packed >> shift & ((1u << bits) - 1);
                if (index >= colours) in.damaged("colour {} of a palette of {}", index, colours);
            }
        }
    }
    return header;
}

}  // namespace

bool is_bmp(Bytes bytes, const std::string& name) {
    if (!starts_with(bytes, "BM")) return false;
    Reader in(bytes, name);
    in.skip(14);
    const uint32_t version = in.u32_le();
    return version == 12 || version == 40 || version == 56 || version == 108 || version == 124;
}

Raster decode_bmp(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_bmp(bytes, name);
    check_sides(name, header.width, header.height, options);
    return decode_by_stb(bytes, {}, name, header.width, header.height);
}

}  // namespace lily::io
